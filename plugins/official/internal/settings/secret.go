package settings

// A secret, wherever it stands.

import (
	"fmt"
	"strings"

	"cloudsnooze.local/snooze"
)

// Secret is a text that may stand in the configuration or in a file that it names.
type Secret struct {
	name, text, path string
}

// SecretOf takes `name`, or the path in `name`_file; both at once are refused, and neither is an empty one. The file
// is not read here.
func SecretOf(config snooze.Values, name string) (Secret, error) {
	secret := Secret{name: name}
	value, given := config[name]
	if given {
		// Not by config.Text, whose error shows the value.
		text, ok := value.(string)
		if !ok || text == "" {
			return Secret{}, fmt.Errorf("%s has to be a text that is not empty", name)
		}
		secret.text = text
	}
	path, err := Path(config, name+"_file")
	if err != nil {
		return Secret{}, err
	}
	if path != "" && given {
		return Secret{}, fmt.Errorf("%s and %s_file are both there: one of them is enough", name, name)
	}
	secret.path = path
	return secret, nil
}

// Given says whether there is one.
func (secret Secret) Given() bool { return secret.text != "" || secret.path != "" }

// Read is the secret as it is now: a file is read each time, so that a changed one is taken.
func (secret Secret) Read() (string, error) {
	if secret.path == "" {
		return secret.text, nil
	}
	text, err := read(secret.path)
	if err != nil {
		return "", fmt.Errorf("%s_file %w", secret.name, err)
	}
	content := strings.TrimSpace(string(text))
	if content == "" {
		return "", fmt.Errorf("%s_file %s is empty", secret.name, secret.path)
	}
	return content, nil
}

// String keeps the secret out of whatever prints it.
func (secret Secret) String() string { return "***" }

// GoString keeps it out of %#v.
func (secret Secret) GoString() string { return "***" }
