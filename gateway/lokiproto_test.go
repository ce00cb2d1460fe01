package gateway

import (
	"github.com/klauspost/compress/snappy"
	"google.golang.org/protobuf/encoding/protowire"
)

// lokiProtobuf is a push of one stream in protobuf, in a block of snappy.
func lokiProtobuf(labels string, lines ...string) string {
	field := func(b []byte, n protowire.Number, v []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
	}
	at := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1795840630)
	at = protowire.AppendVarint(protowire.AppendTag(at, 2, protowire.VarintType), 896000000)
	var stream []byte
	for _, line := range lines { // entries before labels: fields may come in any order
		stream = field(stream, 2, field(field(nil, 2, []byte(line)), 1, at))
	}
	return string(snappy.Encode(nil, field(nil, 1, field(stream, 1, []byte(labels)))))
}
