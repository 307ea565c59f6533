// Package settings reads what the plugins here have in common in their configuration: whole numbers, lists, secrets
// that stand in a file, and authorities. Its errors name the field, and never show the value of a secret.
package settings

import (
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"cloudsnooze.local/snooze"
)

// A larger file is none that somebody wrote a secret into, and holds more authorities than anybody has of his own.
const fileLimit = 64 * 1024

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

// Path is the absolute path of this name, or empty where there is none.
func Path(config snooze.Values, name string) (string, error) {
	path, err := config.Text(name, "")
	switch {
	case err != nil:
		return "", err
	case path == "" && config[name] != nil:
		return "", fmt.Errorf("%s is empty", name)
	case path != "" && !filepath.IsAbs(path):
		return "", fmt.Errorf("%s has to be an absolute path and is %q", name, path)
	}
	return path, nil
}

// Authorities are the certificates in `ca_file`, by which a server is known in place of those of the system. They are
// nil where it is left out.
func Authorities(config snooze.Values) (*x509.CertPool, error) {
	path, err := Path(config, "ca_file")
	if path == "" || err != nil {
		return nil, err
	}
	text, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("ca_file %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca_file %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// read is a file that somebody has to have granted, and that is short.
func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened; it has to be granted with `read`: %w", err)
	}
	defer file.Close()
	// One byte more tells what is too long.
	text, err := io.ReadAll(io.LimitReader(file, fileLimit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(text) > fileLimit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, fileLimit)
	}
	return text, nil
}
