package snooze

// What is looked at before a plugin is asked anything: a mistake of its author is told at the start, and not
// found when a method is silently never called.

import (
	"fmt"
	"reflect"
	"regexp"
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	// The pattern that semver.org suggests.
	versionPattern = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
		`(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
		`(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?$`)
)

func checkInfo(info Info) error {
	if !namePattern.MatchString(info.Name) {
		return fmt.Errorf("the name %q has to be 1 to 64 of a-z, 0-9 and -", info.Name)
	}
	if !versionPattern.MatchString(info.Version) {
		return fmt.Errorf("the version %q has to be a semantic version, as 1.0.0", info.Version)
	}
	return nil
}

// Whoever has the method has to have the interface.
var optional = []struct {
	method string
	wants  reflect.Type
}{
	{"CheckIdle", reflect.TypeFor[IdleChecker]()},
	{"HandleEvent", reflect.TypeFor[EventHandler]()},
	{"SupportedEvents", reflect.TypeFor[EventHandler]()},
	{"Configure", reflect.TypeFor[Configurer]()},
	{"Initialize", reflect.TypeFor[Initializer]()},
	{"Shutdown", reflect.TypeFor[Shutdowner]()},
}

func checkMethods(plugin Plugin) error {
	if plugin == nil {
		return fmt.Errorf("there is no plugin: it is nil")
	}
	kind := reflect.TypeOf(plugin)
	for _, each := range optional {
		if _, has := kind.MethodByName(each.method); has && !kind.Implements(each.wants) {
			return fmt.Errorf("%s has a method %s and is no snooze.%s, as it would have to be: %s",
				kind, each.method, each.wants.Name(), describe(each.wants))
		}
		if _, has := reflect.PointerTo(kind).MethodByName(each.method); has && !kind.Implements(each.wants) {
			return fmt.Errorf("%s has %s only as a pointer: pass &%s", kind, each.method, kind.Name())
		}
	}
	_, votes := plugin.(IdleChecker)
	_, handles := plugin.(EventHandler)
	if !votes && !handles {
		return fmt.Errorf("%s has neither CheckIdle nor HandleEvent", kind)
	}
	return nil
}

func describe(wanted reflect.Type) string {
	text := ""
	for index := range wanted.NumMethod() {
		if index > 0 {
			text += "; "
		}
		text += wanted.Method(index).Name + wanted.Method(index).Type.String()[len("func"):]
	}
	return text
}
