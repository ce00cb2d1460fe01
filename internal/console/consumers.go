package console

import (
	"slices"

	"sluice/internal/console/series"
)

// answer is what a consumer answered.
type answer struct {
	name string
	err  error
	reading
}

// fleet is all consumers of one sample.
type fleet struct {
	answers []answer
	before  map[string]reading
	next    map[string]reading // to compare the next sample with
}

func together(before map[string]reading, answers []answer) *fleet {
	f := &fleet{answers: answers, before: before, next: map[string]reading{}}
	for _, a := range answers {
		if a.err == nil {
			f.next[a.name] = a.reading
		} else if old, ok := before[a.name]; ok {
			f.next[a.name] = old // when it answers again, its increase is spread over the time between
		}
	}
	return f
}

// compared calls fn for each consumer that answered now and before.
func (f *fleet) compared(fn func(a answer, before reading, seconds float64)) {
	for _, a := range f.answers {
		before, ok := f.before[a.name]
		if seconds := a.at.Sub(before.at).Seconds(); ok && a.err == nil && seconds > 0 {
			fn(a, before, seconds)
		}
	}
}

// values adds the numbers of all consumers together. Without a consumer that answered there are none.
func (f *fleet) values(values map[string]float64) {
	var batches, fresh, inserts series.Histogram
	f.compared(func(a answer, before reading, seconds float64) {
		values["rows"] += f.rate(a, before, seconds)
		for reason, n := range series.Increase(before.Reading, a.Reading, "sluice_consumer_dead_letters_total", "reason") {
			values["dead.reason/"+reason] += n / seconds
			values["dead"] += n / seconds
		}
		batches = batches.Plus(series.Observed(before.Reading, a.Reading, "sluice_consumer_batch_rows"))
		fresh = fresh.Plus(series.Observed(before.Reading, a.Reading, "sluice_consumer_end_to_end_seconds"))
		inserts = inserts.Plus(series.Observed(before.Reading, a.Reading, "sluice_consumer_insert_duration_seconds"))
	})
	quantiles(values, "batch", batches)
	quantiles(values, "insert", inserts)
	quantiles(values, "fresh", fresh)
	if records, seconds, ok := f.lag(); ok {
		values["lag.records"], values["lag.seconds"] = records, seconds
	}
}

func (f *fleet) rate(a answer, before reading, seconds float64) float64 {
	return series.Increase(before.Reading, a.Reading, "sluice_consumer_rows_inserted_total", "")[""] / seconds
}

// dead returns how many dead letters the sample has.
func (f *fleet) dead() (n float64) {
	f.compared(func(a answer, before reading, _ float64) {
		for _, more := range series.Increase(before.Reading, a.Reading, "sluice_consumer_dead_letters_total", "reason") {
			n += more
		}
	})
	return n
}

// lag returns the records that wait on all partitions, and the age of the oldest. While a partition moves, two
// consumers may have it: the larger lag counts.
func (f *fleet) lag() (records, seconds float64, ok bool) {
	partitions := map[string]float64{}
	for _, a := range f.answers {
		if a.err != nil {
			continue
		}
		ok = true
		seconds = max(seconds, a.Gauge("sluice_consumer_lag_seconds"))
		for partition, n := range a.By("sluice_consumer_lag_records", "topic", "partition") {
			partitions[partition] = max(partitions[partition], n)
		}
	}
	for _, n := range partitions {
		records += n
	}
	return records, seconds, ok
}

// view adds each consumer and the totals of all to v.
func (f *fleet) view(v *view) {
	for _, a := range f.answers {
		c := consumer{Address: a.name, Up: a.err == nil, Blocked: []string{}}
		if a.err != nil {
			c.Error = a.err.Error()
			v.Consumers = append(v.Consumers, c)
			continue
		}
		c.Lag = finite(a.Gauge("sluice_consumer_lag_records"))
		c.LagSeconds = finite(a.Gauge("sluice_consumer_lag_seconds"))
		c.Partitions = finite(a.Gauge("sluice_consumer_assigned_partitions"))
		c.RowsTotal = finite(a.Gauge("sluice_consumer_rows_inserted_total"))
		for reason, n := range a.By("sluice_consumer_blocked", "reason") {
			if n > 0 {
				c.Blocked = append(c.Blocked, reason)
			}
		}
		slices.Sort(c.Blocked)
		v.Totals.Rows += c.RowsTotal
		v.Totals.Dead += finite(a.Gauge("sluice_consumer_dead_letters_total"))
		v.Consumers = append(v.Consumers, c)
	}
	f.compared(func(a answer, before reading, seconds float64) {
		i := slices.IndexFunc(v.Consumers, func(c consumer) bool { return c.Address == a.name })
		v.Consumers[i].Rows = f.rate(a, before, seconds)
	})
}
