package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/joingroup"
	"github.com/segmentio/kafka-go/protocol/leavegroup"
	"github.com/segmentio/kafka-go/protocol/syncgroup"
)

// plainRequest is a request in a version of at most most. Later versions add nothing that is used here, and kafka-go
// writes some of them wrong. It does not go through kafka.Client.
type plainRequest struct {
	protocol.Message
	most    int16
	version int16
}

// groupRequest is a request to the group's coordinator. kafka.Client parses the members' metadata and fails at what
// another application put there.
type groupRequest struct {
	plainRequest

	group string
}

// From version 4 of JoinGroup on (Kafka 2.2) a member gets its id before it is a member. In answers to Heartbeat and
// LeaveGroup of a version above 0, kafka-go takes the throttling time for the error.
const (
	joinVersion      = 4
	syncVersion      = 2
	heartbeatVersion = 0
	leaveVersion     = 0
)

// Group has kafka-go's transport send the request to the group's coordinator.
func (g *groupRequest) Group() string { return g.group }

// Required has kafka-go's transport call RawExchange.
func (r *plainRequest) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = min(versions[r.ApiKey()], r.most)
	return true
}

// RawExchange sends the request and reads the answer.
func (r *plainRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const correlation = 1 // one request at a time on a connection
	return protocol.RoundTrip(rw, r.version, correlation, clientID, r.Message)
}

// request sends a message to the coordinator and waits for the answer, at most for wait.
func request[R protocol.Message](
	ctx context.Context, k *Client, most int16, wait time.Duration, message protocol.Message,
) (R, error) {
	var none R
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := k.transport.RoundTrip(ctx, k.client.Addr, &groupRequest{
		plainRequest: plainRequest{Message: message, most: most}, group: k.group,
	})
	if err != nil {
		return none, err
	}
	out, ok := answer.(R)
	if !ok {
		return none, fmt.Errorf("an answer of type %T", answer)
	}
	return out, nil
}

// joinGroup asks to be in the next generation. The coordinator answers when all members have asked.
func (k *Client) joinGroup(
	ctx context.Context, id string, protocols []joingroup.RequestProtocol,
) (*joingroup.Response, error) {
	answer, err := request[*joingroup.Response](ctx, k, joinVersion, rebalanceTimeout+requestTimeout,
		&joingroup.Request{
			GroupID: k.group, MemberID: id, ProtocolType: consumerProtocol, Protocols: protocols,
			SessionTimeoutMS:   int32(sessionTimeout.Milliseconds()),
			RebalanceTimeoutMS: int32(rebalanceTimeout.Milliseconds()),
		})
	if err == nil {
		err = code(answer.ErrorCode)
	}
	return answer, err
}

// syncGroup gives the assignments to the coordinator, if this member is the leader, and returns this member's own
// assignment.
func (k *Client) syncGroup(ctx context.Context, m Member, assignments []syncgroup.RequestAssignment) ([]byte, error) {
	answer, err := request[*syncgroup.Response](ctx, k, syncVersion, rebalanceTimeout+requestTimeout,
		&syncgroup.Request{
			GroupID: k.group, GenerationID: int32(m.Generation), MemberID: m.ID, Assignments: assignments,
		})
	if err != nil {
		return nil, err
	}
	return answer.Assignments, code(answer.ErrorCode)
}

// heartbeat tells the coordinator that the member is alive. The error says whether its generation is over.
func (k *Client) heartbeat(ctx context.Context, m Member) error {
	answer, err := request[*heartbeat.Response](ctx, k, heartbeatVersion, heartbeatTimeout, &heartbeat.Request{
		GroupID: k.group, GenerationID: int32(m.Generation), MemberID: m.ID,
	})
	if err != nil {
		return err
	}
	return code(answer.ErrorCode)
}

// leaveGroup gives the member's partitions to the others without waiting for its session to end.
func (k *Client) leaveGroup(ctx context.Context, id string) error {
	answer, err := request[*leavegroup.Response](ctx, k, leaveVersion, heartbeatTimeout, &leavegroup.Request{
		GroupID: k.group, MemberID: id,
	})
	if err != nil {
		return err
	}
	return code(answer.ErrorCode)
}

// code makes an error of a broker's error code, and nil of 0.
func code(n int16) error {
	if n == 0 {
		return nil
	}
	return kafka.Error(n)
}

// brokerRequest is a request to one broker.
type brokerRequest struct {
	plainRequest

	broker int
}

// Broker has kafka-go's transport send the request to the broker.
func (r *brokerRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return brokerOf(cluster, r.broker)
}

// brokerOf is the broker with an id.
func brokerOf(cluster protocol.Cluster, id int) (protocol.Broker, error) {
	broker, ok := cluster.Brokers[int32(id)]
	if !ok {
		return broker, kafka.BrokerNotAvailable
	}
	return broker, nil
}

// readAnswer reads one answer, from its correlation id on, into memory that it is given and grows if it must. It
// refuses an answer of more than most bytes, and one to another request.
func readAnswer(r io.Reader, into []byte, most int, correlation uint32) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return into, err
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > most {
		return into, fmt.Errorf("an answer of %d bytes", n)
	}
	into = grow(into, n)
	if _, err := io.ReadFull(r, into); err != nil {
		return into, err
	}
	if id := binary.BigEndian.Uint32(into); id != correlation {
		return into, fmt.Errorf("the answer to request %d came for %d", correlation, id)
	}
	return into, nil
}

// grow returns n bytes of memory: b's if it is large enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}
