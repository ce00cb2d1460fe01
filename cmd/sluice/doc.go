// Command sluice is the operator's tool: the whole pipeline on one machine, load tests with proof, topics, keys.
package main
