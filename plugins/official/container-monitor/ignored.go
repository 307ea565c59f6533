package main

// Which containers do not count: those that somebody named, and the one that this runs in.

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

type ignored struct {
	names, images []*regexp.Regexp
	labels        []label
}

type label struct {
	key string
	// Nil where any value will do.
	value *regexp.Regexp
}

func ignoredOf(config snooze.Values) (ignored, error) {
	var ignored ignored
	names, err := settings.Texts(config, "ignore_names")
	if err != nil {
		return ignored, err
	}
	images, err := settings.Texts(config, "ignore_images")
	if err != nil {
		return ignored, err
	}
	labels, err := settings.Texts(config, "ignore_labels")
	if err != nil {
		return ignored, err
	}
	for _, name := range names {
		ignored.names = append(ignored.names, pattern(name))
	}
	for _, image := range images {
		ignored.images = append(ignored.images, pattern(image))
	}
	for index, text := range labels {
		key, value, hasValue := strings.Cut(text, "=")
		if key == "" {
			return ignored, fmt.Errorf("ignore_labels[%d] has to be key or key=value and is %q", index, text)
		}
		label := label{key: key}
		if hasValue {
			label.value = pattern(value)
		}
		ignored.labels = append(ignored.labels, label)
	}
	return ignored, nil
}

// pattern is the expression of a text in which * stands for anything.
func pattern(text string) *regexp.Regexp {
	parts := strings.Split(text, "*")
	for index := range parts {
		parts[index] = regexp.QuoteMeta(parts[index])
	}
	return regexp.MustCompile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
}

func (ignored ignored) covers(container container) bool {
	for _, name := range container.Names {
		if matches(ignored.names, strings.TrimPrefix(name, "/")) {
			return true
		}
	}
	if matches(ignored.images, container.Image) || matches(ignored.images, untagged(container.Image)) {
		return true
	}
	for _, label := range ignored.labels {
		if value, has := container.Labels[label.key]; has && (label.value == nil || label.value.MatchString(value)) {
			return true
		}
	}
	return false
}

func matches(patterns []*regexp.Regexp, text string) bool {
	for _, pattern := range patterns {
		if pattern.MatchString(text) {
			return true
		}
	}
	return false
}

// untagged is the name of an image without its tag or digest; a colon before a slash is a registry's port.
func untagged(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon]
	}
	return image
}

// ownContainer is the number of the container that this runs in, or empty. Engines mount each one's own file over
// /etc/hostname; a machine that runs containers has mounts of theirs as well, but not there.
func ownContainer() string {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		// Then it counts: too many never stop a machine.
		return ""
	}
	return ownIn(string(text))
}

var ownHostname = regexp.MustCompile(`(?m)^\S+ \S+ \S+ \S*/([0-9a-f]{64})/\S*hostname /etc/hostname `)

func ownIn(mounts string) string {
	if found := ownHostname.FindStringSubmatch(mounts); found != nil {
		return found[1]
	}
	return ""
}
