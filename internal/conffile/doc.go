// Package conffile reads configuration files, YAML and JSON lines, and takes every value exactly as it is written.
//
// A YAML reader usually guesses what an unquoted word is: 0755 becomes 493, 1_000 becomes 1000, no becomes false. Here a word
// that any YAML reader could take for something else than text is refused where text is wanted, with the advice to quote it;
// numbers are decimal; anchors, aliases, tags, merge keys, repeated keys and a second document are refused.
//
// Large lists are read item by item, so that memory does not grow with the file. No error repeats a value: it may be a secret.
package conffile
