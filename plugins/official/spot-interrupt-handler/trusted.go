package main

// Whether a script is the operator's: whoever may write it, or a folder on the way to it, decides what runs here. It only
// looks, and opens nothing.

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What anybody but the owner may write. With an access list, the group's bits are the most that it gives anyone.
const writableByOthers = 0o022

// trusted says what is wrong with a script and what to do about it, or nothing.
func trusted(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("shutdown_script_path %s: %w; is it there?", path, err)
	}
	found, err := os.Stat(real)
	switch {
	case err != nil:
		return fmt.Errorf("shutdown_script_path %s: %w", path, err)
	case !found.Mode().IsRegular():
		return fmt.Errorf("shutdown_script_path %s is no file", path)
	case found.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s may not be run: chmod +x it", real)
	}
	if err := owned(real, found); err != nil {
		return err
	}
	if found.Mode().Perm()&writableByOthers != 0 {
		return fmt.Errorf("%s may be written by others: chmod go-w it", real)
	}
	// Who may put another link, or another folder, in the way decides as well.
	for _, way := range []string{path, real} {
		for folder := filepath.Dir(filepath.Clean(way)); ; folder = filepath.Dir(folder) {
			if err := closed(folder); err != nil {
				return err
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return nil
}

// closed says whether nobody else can put another thing in the place of what lies in a folder.
func closed(folder string) error {
	found, err := os.Stat(folder)
	if err != nil {
		return fmt.Errorf("the folder %s on the way to the script: %w", folder, err)
	}
	if err := owned(folder, found); err != nil {
		return err
	}
	// Where everybody may write and nobody takes away what is another's, as in /tmp, what is there stays.
	if found.Mode().Perm()&writableByOthers != 0 && found.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("the folder %s on the way to the script may be written by others: chmod go-w it", folder)
	}
	return nil
}

// owned says whether it is the superuser's or one's own.
func owned(path string, found fs.FileInfo) error {
	owner := int64(-1)
	if system, ok := found.Sys().(*syscall.Stat_t); ok {
		owner = int64(system.Uid)
	}
	if owner != 0 && owner != int64(os.Geteuid()) {
		return fmt.Errorf("%s belongs to user %d, who may write it: chown root it", path, owner)
	}
	return nil
}
