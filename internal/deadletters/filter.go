package deadletters

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/settings"
)

// Filter says which dead letters are meant: those that match every setting that is given. The zero Filter means all.
type Filter struct {
	Reason  []string        `name:"reason" help:"Only letters with one of these reasons, for instance unknown_format,invalid_event."`
	Project []string        `name:"project" help:"Only letters of these projects."`
	Since   settings.Moment `name:"since" help:"Only letters since this time: RFC 3339, or a duration such as 2h or 3d before now."`
	Until   settings.Moment `name:"until" help:"Only letters before this time, written like --since."`
	At      []string        `name:"at" help:"Only the letters at these places of the dead-letter topic: PARTITION:OFFSET, PARTITION:FROM-TO or PARTITION."`
	From    []string        `name:"from" help:"Only letters whose records were at these places of the topic that they came from, written like --at. sluice audit names such places."`

	spans, from []span
}

// span is a range of offsets of a partition, both ends included.
type span struct {
	partition int
	from, to  int64
}

const maxOffset = 1<<63 - 1

// IsZero reports whether the filter means all letters.
func (f *Filter) IsZero() bool {
	return len(f.Reason)+len(f.Project)+len(f.At)+len(f.From) == 0 && f.Since.Time.IsZero() && f.Until.Time.IsZero()
}

// Check reports every fault of the filter, joined into one error. Call Check before Matches.
func (f *Filter) Check() error {
	var faults []error
	for _, reason := range f.Reason {
		if !slices.Contains(Reasons(), reason) {
			faults = append(faults, fmt.Errorf("--reason: %q is none; there are %s", reason, strings.Join(Reasons(), ", ")))
		}
	}
	if !f.Until.Time.IsZero() && !f.Since.Time.Before(f.Until.Time) {
		faults = append(faults, errors.New("--since must be before --until"))
	}
	places := func(flag string, texts []string) (spans []span) {
		for _, text := range texts {
			s, err := parseSpan(text)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", flag, err))
			}
			spans = append(spans, s)
		}
		return spans
	}
	f.spans, f.from = places("--at", f.At), places("--from", f.From)
	return errors.Join(faults...)
}

// parseSpan reads PARTITION:OFFSET, PARTITION:FROM-TO or PARTITION.
func parseSpan(text string) (span, error) {
	partition, offsets, some := strings.Cut(text, ":")
	first, last, isRange := strings.Cut(offsets, "-")
	if !isRange {
		last = first
	}
	s := span{to: maxOffset}
	var errs [3]error
	s.partition, errs[0] = strconv.Atoi(partition)
	if some {
		s.from, errs[1] = strconv.ParseInt(first, 10, 64)
		s.to, errs[2] = strconv.ParseInt(last, 10, 64)
	}
	if errors.Join(errs[:]...) != nil || s.partition < 0 || s.from < 0 || s.to < s.from {
		return span{}, fmt.Errorf("%q is no place; write 0:17, 0:17-20 or 0", text)
	}
	return s, nil
}

// Matches reports whether a letter is meant.
func (f *Filter) Matches(l *Letter) bool {
	switch {
	case len(f.Reason) > 0 && !slices.Contains(f.Reason, l.Reason),
		len(f.Project) > 0 && !slices.Contains(f.Project, l.Project),
		l.At.Before(f.Since.Time),
		!f.Until.Time.IsZero() && !l.At.Before(f.Until.Time):
		return false
	}
	return within(f.spans, l.Place) && within(f.from, l.From)
}

// within reports whether a place is in one of some spans. No spans mean all places.
func within(spans []span, p Place) bool {
	return len(spans) == 0 || slices.ContainsFunc(spans, func(s span) bool {
		return s.partition == p.Partition && s.from <= p.Offset && p.Offset <= s.to
	})
}
