package topics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"

	"sluice/internal/backoff"
)

// Existing returns the cluster's id and which of the two topics exist. The id is empty if the cluster has none.
func (a *Admin) Existing(ctx context.Context) (cluster string, there []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{a.conn.Topic, a.conn.DeadTopic}})
	if err != nil {
		return "", nil, a.unreachable(err)
	}
	for _, t := range meta.Topics {
		if !errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			there = append(there, t.Name)
		}
	}
	return meta.ClusterID, there, nil
}

// coordinatorPause is the pause between two requests to a group coordinator that is not available yet.
const coordinatorPause = 200 * time.Millisecond

// Members returns the live members of a consumer group, each as "client id at host".
func (a *Admin) Members(ctx context.Context, group string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	for {
		members, err := a.members(ctx, group)
		var code kafka.Error
		if !errors.As(err, &code) || !code.Temporary() {
			return members, err
		}
		if !backoff.Sleep(ctx, coordinatorPause) {
			return nil, err
		}
	}
}

func (a *Admin) members(ctx context.Context, group string) ([]string, error) {
	// This is the raw request, because kafka-go's own fails to parse the member metadata of other clients.
	m, err := a.client.Transport.RoundTrip(ctx, a.client.Addr, &describegroups.Request{Groups: []string{group}})
	if err != nil {
		return nil, fmt.Errorf("describe consumer group %s: %w", group, err)
	}
	var out []string
	for _, g := range m.(*describegroups.Response).Groups {
		if code := kafka.Error(g.ErrorCode); code != 0 && code != kafka.GroupIdNotFound {
			return nil, fmt.Errorf("describe consumer group %s: %w", group, code)
		}
		for _, m := range g.Members {
			out = append(out, m.ClientID+" at "+m.ClientHost)
		}
	}
	return out, nil
}
