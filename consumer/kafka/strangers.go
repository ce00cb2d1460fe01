package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/joingroup"
)

// reportStrangers warns, once, if another application is in the group. With topics of its own it only rebalances with
// us. If it reads our topic, the events of its partitions do not reach ClickHouse.
func (m *Membership) reportStrangers(joined *joingroup.Response, leader bool) {
	topics, ours := map[string]bool{}, 0
	for _, one := range joined.Members { // only the leader gets any
		s, err := decodeSubscription(one.Metadata)
		if err != nil {
			topics["(not readable)"] = true
		}
		for _, t := range s.topics {
			if t != m.k.conn.Topic {
				topics[t] = true
			}
		}
		if _, err := decodeHolding(s.userData); err != nil && slices.Contains(s.topics, m.k.conn.Topic) {
			ours++
		}
	}
	text := ""
	if len(topics) > 0 || !isSticky(joined.ProtocolName) {
		text = fmt.Sprint(joined.ProtocolName, leader, ours, keys(topics))
	}
	if text == m.reported || text == "" && !leader {
		return
	}
	m.reported = text
	if text != "" {
		m.k.log.Warn("another application, or an older sluice, is in the consumer group; if it reads our topic, "+
			"the events of its partitions do not reach clickhouse",
			"group", m.k.group, "protocol", shortName(joined.ProtocolName), "other_topics", list(keys(topics)),
			"hint", "give each application a group of its own, here with --kafka-group")
	}
}

// groupIsTaken makes the error of a group that cannot be joined because its members use another balancer. It names
// them.
func (k *Client) groupIsTaken(ctx context.Context, refusal error) error {
	what := "its members cannot be listed"
	if g, err := k.describeGroup(ctx); err == nil {
		topics, clients := map[string]bool{}, map[string]bool{}
		for _, one := range g.Members {
			clients[one.ClientID] = true
			if s, err := decodeSubscription(one.MemberMetadata); err == nil {
				for _, t := range s.topics {
					topics[t] = true
				}
			}
		}
		what = fmt.Sprintf("type %q, protocol %q, clients %s, topics %s",
			shortName(g.ProtocolType), shortName(g.ProtocolData), list(keys(clients)), list(keys(topics)))
	}
	return fmt.Errorf("another application is in the consumer group %q (%s): set another --kafka-group: %w",
		k.group, what, refusal)
}

// describeGroup asks the coordinator for the group's members.
func (k *Client) describeGroup(ctx context.Context) (*describegroups.ResponseGroup, error) {
	const version = 2
	question := &describegroups.Request{Groups: []string{k.group}}
	answer, err := request[*describegroups.Response](ctx, k, version, requestTimeout, question)
	if err != nil {
		return nil, err
	}
	if len(answer.Groups) != 1 {
		return nil, errors.New("describe: the coordinator did not answer for the group")
	}
	if n := answer.Groups[0].ErrorCode; n != 0 {
		return nil, kafka.Error(n)
	}
	return &answer.Groups[0], nil
}

func keys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// list writes at most ten names, each cut to a bounded length: other applications chose them.
func list(names []string) string {
	const most = 10
	out := make([]string, 0, most)
	for _, n := range names[:min(len(names), most)] {
		out = append(out, fmt.Sprintf("%q", shortName(n)))
	}
	if len(names) > most {
		out = append(out, fmt.Sprintf("and %d more", len(names)-most))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// shortName cuts a name that is longer than a topic's name may be.
func shortName(s string) string { return s[:min(len(s), 249)] }
