// Package shippers has the protocols that log shippers speak: Elasticsearch's bulk API, Loki's push and Splunk's HTTP
// event collector, one file each with its answers beside it.
//
// What holds for every protocol is said in package protocol. What these have in common is in shipped.go: an item of
// theirs is made of several parts of the body, and the clients of some send again only the items that were refused.
package shippers
