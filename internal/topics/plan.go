package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
)

// Change limits what Apply may do to existing topics.
type Change struct {
	DryRun          bool `name:"dry-run" help:"Print what would be created, changed and removed; change nothing."`
	Fix             bool `name:"fix" help:"Also correct the faults without a flag of their own that check finds, for instance cleanup.policy and unclean leader election."`
	AllowRemoval    bool `name:"allow-removal" help:"Allow a shorter retention, which removes older events."`
	AllowLessSafety bool `name:"allow-less-safety" help:"Allow a lower --min-isr: fewer brokers may then store an acknowledged event."`
}

// plan is what Apply does to one topic.
type plan struct {
	w       wanted
	missing bool
	changes []finding
	left    []finding // faults that stay
	removal removal
	refused []error // why Apply may not carry out the plan
}

// planFor compares a topic with its target and returns the changes.
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
				p.refuse("%s is lower than before: fewer brokers may then store an acknowledged event; "+
					"--allow-less-safety allows it", f.text)
			}
		default:
			p.left = append(p.left, f)
		}
	}
	if isr, ok := next.number(keyMinISR); ok && a.given("min-isr") && isr > int64(s.replication()) {
		p.refuse("--min-isr %d: Kafka would refuse every event, because the topic's replication is %d", isr,
			s.replication())
	}
	if next.keepsLessThan(s) {
		p.removal = a.estimate(ctx, w.name, s, next)
		if !a.change.AllowRemoval {
			p.refuse("a shorter retention removes events: %s; --allow-removal allows it", p.removal)
		}
	}
	return p, nil
}

func (p *plan) refuse(format string, args ...any) {
	p.refused = append(p.refused, fmt.Errorf("topic "+p.w.name+": "+format, args...))
}

// printPlan prints the plan without carrying it out.
func (a *Admin) printPlan(p plan) {
	if p.missing {
		a.printf("%s: would be created with %s", p.w.name, a.layout(p.w))
	}
	for _, f := range p.changes {
		a.printf("%s: would be changed: %s", p.w.name, f.text)
	}
	if p.removal.happens {
		a.printf("%s: would be removed: %s", p.w.name, p.removal)
	}
	a.printLeft(p)
}

// printLeft prints the faults that stay.
func (a *Admin) printLeft(p plan) {
	for _, f := range p.left {
		hint := "; --fix changes it"
		if f.fix == nil {
			hint = ""
		}
		a.printf("%s: kept: %s%s", p.w.name, f.text, hint)
	}
	if !p.missing && len(p.changes)+len(p.left)+len(p.refused) == 0 {
		a.printf("%s: no faults", p.w.name)
	}
}

// carryOut makes the changes of the plan.
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
		a.printf("%s: changed: %s", p.w.name, f.text)
	}
	if p.removal.happens && len(faults) == 0 {
		a.printf("%s: Kafka removes: %s", p.w.name, p.removal)
	}
	a.printLeft(p)
	return errors.Join(faults...)
}

func (a *Admin) fix(ctx context.Context, f finding) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return f.fix(ctx)
}
