// Package conffile reads configuration files, YAML and JSON lines, and takes every value exactly as written.
//
// Other YAML readers guess the type of an unquoted word: 0755 becomes 493, 1_000 becomes 1000, no becomes false. Here,
// where a text is expected, an unquoted word that some YAML reader takes for another type is an error that asks for
// quotes. Numbers are decimal. Anchors, aliases, tags, merge keys, repeated keys and a second document are errors.
//
// A large list is read item by item, so memory does not grow with the file. No error repeats a value, because it may be
// a secret.
package conffile
