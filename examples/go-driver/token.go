package main

import (
	"errors"
	"os"
	"strings"
)

// tokenFile is where the app's sign-in leaves the driver's token, and later ones before the old one ends.
type tokenFile struct {
	path string
	last string
}

// read gives the token that is in the file now.
func (t *tokenFile) read() (string, error) {
	content, err := os.ReadFile(t.path)
	if err != nil {
		return "", err
	}
	t.last = strings.TrimSpace(string(content))
	if t.last == "" {
		return "", errors.New("the token file is empty")
	}
	return t.last, nil
}

// fresh gives the token of the file if it is another one than was read last.
func (t *tokenFile) fresh() (token string, isNew bool) {
	before := t.last
	token, err := t.read()
	if err != nil {
		t.last = before // being written just now: it is looked at again
		return "", false
	}
	return token, token != before
}
