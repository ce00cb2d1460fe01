package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Change says how far Apply may go with topics that are there.
type Change struct {
	DryRun          bool `name:"dry-run" help:"Say what would be made, changed and removed, and change nothing."`
	Fix             bool `name:"fix" help:"Also mend the faults that check finds, for which there is no flag: cleanup.policy, unclean leader election and the like."`
	AllowRemoval    bool `name:"allow-removal" help:"Agree to a shorter retention, which removes the events that are older."`
	AllowLessSafety bool `name:"allow-less-safety" help:"Agree to a lower --min-isr, with which an acknowledged event may be on fewer brokers."`
}

// plan is what Apply does to one topic.
type plan struct {
	w       wanted
	missing bool
	changes []finding
	left    []finding // faults that stay as they are
	removal removal
	refused []error // why it may not be done
}

// planFor compares a topic with what is asked for.
func (a *Admin) planFor(ctx context.Context, w wanted) (plan, error) {
	s, err := a.describe(ctx, w.name)
	if err != nil {
		return plan{}, fmt.Errorf("topic %s: %w", w.name, err)
	}
	p := plan{w: w, missing: s.missing}
	if s.missing {
		return p, nil
	}
	next := s
	next.configs = maps.Clone(s.configs)
	for _, f := range a.compare(w, s) {
		switch {
		case f.asked && f.fix == nil:
			p.refuse("%s", f.text)
		case f.asked || a.change.Fix && f.fix != nil:
			p.changes = append(p.changes, f)
			if f.key != "" {
				next.configs[f.key] = f.value
			}
			if f.weakens && !a.change.AllowLessSafety {
				p.refuse("%s is lower than before: an acknowledged event may then be on fewer brokers; "+
					"agree with --allow-less-safety", f.text)
			}
		default:
			p.left = append(p.left, f)
		}
	}
	if isr, ok := next.number(keyMinISR); ok && a.given("min-isr") && isr > int64(s.replication()) {
		p.refuse("--min-isr %d: the topic's replication is %d, so that Kafka would refuse every event", isr, s.replication())
	}
	if next.keepsLessThan(s) {
		p.removal = a.estimate(ctx, w.name, s, next)
		if !a.change.AllowRemoval {
			p.refuse("a shorter retention removes events: %s; agree with --allow-removal", p.removal)
		}
	}
	return p, nil
}

func (p *plan) refuse(format string, args ...any) {
	p.refused = append(p.refused, fmt.Errorf("topic "+p.w.name+": "+format, args...))
}

// say prints the plan as it is before anything is done.
func (a *Admin) sayPlan(p plan) {
	if p.missing {
		a.sayf("%s: would be made with %s", p.w.name, a.layout(p.w))
	}
	for _, f := range p.changes {
		a.sayf("%s: would be changed: %s", p.w.name, f.text)
	}
	if p.removal.happens {
		a.sayf("%s: would be removed: %s", p.w.name, p.removal)
	}
	a.sayLeft(p)
}

// sayLeft names the faults that stay.
func (a *Admin) sayLeft(p plan) {
	for _, f := range p.left {
		hint := "; --fix changes it"
		if f.fix == nil {
			hint = ""
		}
		a.sayf("%s: left as it is: %s%s", p.w.name, f.text, hint)
	}
	if !p.missing && len(p.changes)+len(p.left)+len(p.refused) == 0 {
		a.sayf("%s: as it should be", p.w.name)
	}
}

// carryOut does what the plan says.
func (a *Admin) carryOut(ctx context.Context, p plan) error {
	if p.missing {
		_, err := a.create(ctx, p.w)
		return err
	}
	var faults []error
	for _, f := range p.changes {
		if err := a.fix(ctx, f); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", f.text, err))
			continue
		}
		a.sayf("%s: changed: %s", p.w.name, f.text)
	}
	if p.removal.happens && len(faults) == 0 {
		a.sayf("%s: Kafka removes: %s", p.w.name, p.removal)
	}
	a.sayLeft(p)
	return errors.Join(faults...)
}

func (a *Admin) fix(ctx context.Context, f finding) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return f.fix(ctx)
}
