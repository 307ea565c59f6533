package main

// What is configured: steps, each with what is stopped and how.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloudsnooze.local/official/internal/settings"
	"cloudsnooze.local/snooze"
)

// More would not get a share that is worth anything, nor a place in what is kept of an outcome.
const stepsLimit = 64

var (
	// What systemd and engines let names be made of.
	unitPattern      = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]+\.[a-z]+$`)
	containerPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	stepKeys         = []string{"action", "container", "seconds", "signal", "unit"}
)

// Those of Linux, with the numbers that systemd wants; engines take the names.
var signals = map[string]int32{
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGABRT": 6, "SIGKILL": 9, "SIGUSR1": 10, "SIGUSR2": 12, "SIGALRM": 14, "SIGTERM": 15,
	"SIGCONT": 18, "SIGSTOP": 19, "SIGTSTP": 20, "SIGURG": 23, "SIGWINCH": 28, "SIGIO": 29, "SIGPWR": 30, "SIGRTMIN+3": 37,
}

type step struct {
	isUnit bool
	name   string
	// Empty where it is stopped.
	signal string
	// Zero where it is not limited, and for a signal not waited.
	limit time.Duration
}

// waits says whether it takes a share of the time.
func (step step) waits() bool { return step.signal == "" || step.limit > 0 }

func (step step) String() string {
	if step.isUnit {
		return step.name
	}
	return "container " + step.name
}

func stepsOf(config snooze.Values) ([]step, error) {
	value, given := config["steps"]
	list, isList := value.([]any)
	if given && !isList || len(list) == 0 || len(list) > stepsLimit {
		return nil, fmt.Errorf("steps has to be a list of 1 to %d steps, each with unit or container", stepsLimit)
	}
	steps := make([]step, 0, len(list))
	for index, each := range list {
		object, isObject := each.(map[string]any)
		if !isObject {
			return nil, fmt.Errorf("steps[%d] has to be an object with unit or container", index)
		}
		step, err := stepOf(object)
		if err != nil {
			return nil, fmt.Errorf("steps[%d].%w", index, err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// stepOf reads one; its errors begin with the key.
func stepOf(values snooze.Values) (step, error) {
	for key := range values {
		if !slices.Contains(stepKeys, key) {
			return step{}, fmt.Errorf("%s is not known; there are %s", key, strings.Join(stepKeys, ", "))
		}
	}
	_, isUnit := values["unit"]
	_, isContainer := values["container"]
	if isUnit == isContainer {
		return step{}, fmt.Errorf("unit or container has to be there, and not both")
	}
	key, pattern := "container", containerPattern
	if isUnit {
		key, pattern = "unit", unitPattern
	}
	name, err := values.Text(key, "")
	if err != nil {
		return step{}, err
	}
	if !pattern.MatchString(name) || len(name) > 255 {
		return step{}, fmt.Errorf("%s %.60q is no name of one, as nginx.service of a unit, web of a container", key, name)
	}
	made := step{isUnit: isUnit, name: name}
	action, err := values.Text("action", "stop")
	if err != nil {
		return step{}, err
	}
	_, hasSignal := values["signal"]
	switch {
	case action != "stop" && action != "kill":
		return step{}, fmt.Errorf("action is stop or kill and not %.60q", action)
	case action == "stop" && hasSignal:
		return step{}, fmt.Errorf("signal is sent where the action is kill: what a stop sends says the unit or the container")
	case action == "kill":
		if made.signal, err = values.Text("signal", "SIGTERM"); err != nil {
			return step{}, err
		}
		if _, known := signals[made.signal]; !known {
			return step{}, fmt.Errorf("signal %.60q is not known, as SIGTERM is", made.signal)
		}
	}
	if _, given := values["seconds"]; given {
		seconds, err := settings.Above(values, "seconds", 1)
		if err != nil {
			return step{}, err
		}
		made.limit = time.Duration(min(seconds, 86_400) * float64(time.Second))
	}
	return made, nil
}
