package audit

import "time"

// Account is what became of the records of one partition, from an offset on.
type Account struct {
	Partition int `json:"partition"`
	// From is the first offset that was checked: the oldest record on the topic, or the beginning of a counted gap
	// that reaches up to it. Nothing before From can be checked, because Kafka does not have the records any more.
	From int64 `json:"from"`
	// Head is the committed offset of the group: everything before it is claimed to be dealt with.
	Head int64 `json:"head"`
	// End is the offset that the next record gets.
	End int64 `json:"end"`

	// Records is the number of records from From to End. It is the sum of the numbers that follow.
	Records int64 `json:"records"`
	Rows    int64 `json:"rows"`
	// Merged have no row of their own any more: a row of the same event and identity is there.
	Merged      int64 `json:"merged"`
	DeadLetters int64 `json:"dead_letters"`
	// Counts are records of gateways with counts for sluice.outcomes, which has them.
	Counts int64 `json:"gateway_counts"`
	// Erased are events of projects and users that `sluice erase` has erased.
	Erased int64 `json:"erased"`
	// Dropped are events that a processing step dropped and counted.
	Dropped int64 `json:"dropped"`
	// Expired are older than the table keeps rows.
	Expired int64 `json:"expired"`
	// Gaps were counted as lost by the consumer: removed from the topic, or skipped, before they were read.
	Gaps int64 `json:"gaps"`
	// Lag are the offsets from Head to End.
	Lag int64 `json:"lag"`
	// Unchecked have no row, and were not looked up: there are more of them than Config.MaxLookups.
	Unchecked int64 `json:"unchecked"`
	// Unaccounted are lost, as far as Kafka and ClickHouse can tell.
	Unaccounted int64 `json:"unaccounted"`

	// Empty are offsets without a record before Head.
	Empty int64 `json:"empty_offsets"`
	// Doubled are rows whose offset has another row. Readers of sluice.events see each event once all the same.
	Doubled int64 `json:"doubled_rows"`
	// Missing are the records that are unaccounted for, at most 100 of them. Where a step dropped other events of the
	// same range, some of those listed may be among the dropped ones: then there are more of them than Unaccounted.
	Missing []Missing `json:"missing,omitempty"`
}

// Missing is a record that is unaccounted for.
type Missing struct {
	Offset  int64  `json:"offset"`
	Project string `json:"project"`  // "": the headers do not say
	EventID string `json:"event_id"` // "": the headers do not say
}

// maxMissing is how many records an account lists.
const maxMissing = 100

// sum completes the account.
func (a *Account) sum() {
	a.Records = 0
	for _, f := range fates {
		a.Records += *f.of(a)
	}
}

// add adds the numbers of another partition.
func (a *Account) add(b *Account) {
	for _, f := range fates {
		*f.of(a) += *f.of(b)
	}
	a.Empty += b.Empty
	a.Doubled += b.Doubled
	a.sum()
}

// Report is the result of one audit.
type Report struct {
	Topic    string    `json:"topic"`
	Group    string    `json:"group"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Accounts []Account `json:"partitions"`
	// Total is the sum of all partitions. Its offsets are 0.
	Total Account `json:"total"`
	// Warnings say what could not be checked, and what is strange without being a loss.
	Warnings []string `json:"warnings,omitempty"`
}

// Verdict is the result of an audit in one word.
type Verdict string

// The verdicts. An audit that could not be made has none of them, but an error.
const (
	Accounted   Verdict = "accounted"   // of every record
	Unaccounted Verdict = "unaccounted" // records are lost, as far as the audit can tell
	Incomplete  Verdict = "incomplete"  // nothing is known to be lost, but not all was looked up
)

// Verdict returns the verdict on the report.
func (r *Report) Verdict() Verdict {
	switch {
	case r.Total.Unaccounted > 0:
		return Unaccounted
	case r.Total.Unchecked > 0:
		return Incomplete
	default:
		return Accounted
	}
}
