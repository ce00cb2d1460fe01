// Package shared lets partitions of one consumer share blocks, so that the number of inserts does not grow with the
// partitions.
//
// A Unit is some partitions whose batches are due at the same moments. Seat.Join is called with a batch that is about
// to be sealed; it waits briefly for the other batches that are due and returns the id of the block that they share.
// Each partition then records its range with that id. Blocks makes one insert of what several partitions insert under
// the token of one shared block at about the same time, and tells each of them what came of it.
//
// Nothing here is needed for safety but Answer.Doubt: any partition may insert its rows alone, at any time, as package
// delivery explains. Whoever waits for others waits a bounded time.
//
// To change how many units there are, read layout.go; which batches go together, unit.go; who waits for whom before an
// insert, rendezvous.go; how an insert is made and divided, send.go.
package shared
