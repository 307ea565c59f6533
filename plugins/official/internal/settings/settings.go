// Package settings reads what the plugins here have in common in their configuration: whole numbers, lists, and
// secrets that stand in a file. Its errors name the field, and never show the value of a secret.
package settings

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"cloudsnooze.local/snooze"
)

// A larger file is none that somebody wrote a secret into.
const secretLimit = 64 * 1024

// Whole is the whole number of this name, at least `least`, or the other one where there is none.
func Whole(config snooze.Values, name string, otherwise, least int64) (int64, error) {
	number, err := config.Number(name, float64(otherwise))
	if err != nil {
		return 0, err
	}
	if number != math.Trunc(number) || number < float64(least) || number > math.MaxInt32 {
		return 0, fmt.Errorf("%s has to be a whole number from %d to %d and is %v", name, least, math.MaxInt32, number)
	}
	return int64(number), nil
}

// Above is the number of this name, above zero, or the other one where there is none.
func Above(config snooze.Values, name string, otherwise float64) (float64, error) {
	number, err := config.Number(name, otherwise)
	if err != nil {
		return 0, err
	}
	if !(number > 0) || math.IsInf(number, 0) {
		return 0, fmt.Errorf("%s has to be above 0 and is %v", name, number)
	}
	return number, nil
}

// Texts is the list of texts of this name; none of them is empty or there twice.
func Texts(config snooze.Values, name string) ([]string, error) {
	value, given := config[name]
	if !given {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s has to be a list of texts", name)
	}
	texts := make([]string, 0, len(list))
	seen := map[string]bool{}
	for index, each := range list {
		text, ok := each.(string)
		if !ok || text == "" {
			return nil, fmt.Errorf("%s[%d] has to be a text that is not empty", name, index)
		}
		if seen[text] {
			return nil, fmt.Errorf("%s[%d] is there already: %q", name, index, text)
		}
		seen[text] = true
		texts = append(texts, text)
	}
	return texts, nil
}

// Object is the object of this name, or nil where there is none.
func Object(config snooze.Values, name string) (snooze.Values, error) {
	value, given := config[name]
	if !given {
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s has to be an object", name)
	}
	return snooze.Values(object), nil
}

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
	path, err := config.Text(name+"_file", "")
	if err != nil {
		return Secret{}, err
	}
	switch {
	case path == "" && config[name+"_file"] != nil:
		return Secret{}, fmt.Errorf("%s_file is empty", name)
	case path != "" && given:
		return Secret{}, fmt.Errorf("%s and %s_file are both there: one of them is enough", name, name)
	case path != "" && !filepath.IsAbs(path):
		return Secret{}, fmt.Errorf("%s_file has to be an absolute path and is %q", name, path)
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
	file, err := os.Open(secret.path)
	if err != nil {
		return "", fmt.Errorf("%s_file cannot be opened; it has to be granted with `read`: %w", secret.name, err)
	}
	defer file.Close()
	// One byte more tells what is too long.
	text, err := io.ReadAll(io.LimitReader(file, secretLimit+1))
	if err != nil {
		return "", fmt.Errorf("%s_file cannot be read: %w", secret.name, err)
	}
	if len(text) > secretLimit {
		return "", fmt.Errorf("%s_file %s has more than %d bytes", secret.name, secret.path, secretLimit)
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
