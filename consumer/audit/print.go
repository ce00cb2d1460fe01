package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteJSON prints the report as one line of JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	if err := json.NewEncoder(w).Encode(struct {
		*Report
		Verdict Verdict `json:"verdict"`
	}{r, r.Verdict()}); err != nil {
		return fmt.Errorf("print the audit: %w", err)
	}
	return nil
}

// optional are columns that are printed only where a partition has such records.
var optional = map[string]bool{"COUNTS": true, "ERASED": true, "EXPIRED": true, "UNCHECKED": true}

// WriteText prints the report as a table, and the verdict.
func (r *Report) WriteText(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	var columns []fate
	fmt.Fprint(table, "PARTITION\tFROM\tHEAD\tEND\tRECORDS\t")
	for _, f := range fates {
		if !optional[f.column] || *f.of(&r.Total) > 0 {
			columns = append(columns, f)
			fmt.Fprintf(table, "%s\t", f.column)
		}
	}
	line := func(a *Account) {
		fmt.Fprintf(table, "%d\t", a.Records)
		for _, f := range columns {
			fmt.Fprintf(table, "%d\t", *f.of(a))
		}
		fmt.Fprintln(table)
	}
	fmt.Fprintln(table)
	for i := range r.Accounts {
		a := &r.Accounts[i]
		fmt.Fprintf(table, "%d\t%d\t%d\t%d\t", a.Partition, a.From, a.Head, a.End)
		line(a)
	}
	fmt.Fprint(table, "all\t\t\t\t")
	line(&r.Total)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the audit: %w", err)
	}
	for i := range r.Accounts {
		r.Accounts[i].writeMissing(w)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "warning: %s\n", warning)
	}
	if _, err := fmt.Fprintln(w, r.sentence()); err != nil {
		return fmt.Errorf("print the audit: %w", err)
	}
	return nil
}

// shown is how many missing records of a partition are printed.
const shown = 10

// writeMissing prints the records that are unaccounted for.
func (a *Account) writeMissing(w io.Writer) {
	if a.Unaccounted == 0 {
		return
	}
	which := "at"
	if int64(len(a.Missing)) > a.Unaccounted {
		which = "among"
	}
	fmt.Fprintf(w, "partition %d: %s, %s\n", a.Partition, unaccountedFor(a), which)
	for _, m := range a.Missing[:min(shown, len(a.Missing))] {
		fmt.Fprintf(w, "  offset %d, event %q of project %q\n", m.Offset, m.EventID, m.Project)
	}
	if n := max(a.Unaccounted, int64(len(a.Missing))) - shown; n > 0 {
		fmt.Fprintf(w, "  and %d more; --json lists %d of a partition\n", n, maxMissing)
	}
}

// sentence is the verdict.
func (r *Report) sentence() string {
	switch r.Verdict() {
	case Unaccounted:
		return fmt.Sprintf("%s, of %d", unaccountedFor(&r.Total), r.Total.Records)
	case Incomplete:
		return fmt.Sprintf("%s no row and were not looked up: raise --max-lookups",
			plural(r.Total.Unchecked, "record has", "records have"))
	default:
		return fmt.Sprintf("0 records are unaccounted for, of %d", r.Total.Records)
	}
}

func unaccountedFor(a *Account) string {
	return plural(a.Unaccounted, "record is", "records are") + " unaccounted for"
}

func plural(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
