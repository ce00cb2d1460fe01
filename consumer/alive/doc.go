// Package alive tells a partition that works, or waits for something outside the process, from one that hangs.
package alive
