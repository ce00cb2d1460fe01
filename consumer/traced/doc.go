// Package traced makes the spans of a batch of records: from Kafka's answer to the insert.
//
// Each traced request with records in the batch gets spans in its own trace, as children of the span that published
// them: process, and in it fetch and insert. The batch as a whole gets the same spans in a trace of its own, with links
// to those requests. A batch keeps at most mostRequests of them. All spans are made when the batch is done, so a record
// on its way costs a comparison if it is not traced.
package traced
