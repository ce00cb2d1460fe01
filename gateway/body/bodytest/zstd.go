package bodytest

import (
	"strings"
	"sync"
)

// ZstdBlock is the largest size of a zstd block, in bytes, once decompressed.
const ZstdBlock = 128 << 10

// zstdSmallWindow is the window descriptor of 1 MiB.
const zstdSmallWindow = 10 << 3

// ZstdFrame returns a frame with a window descriptor, and without a content size and a checksum (RFC 8878, section 3.1.1).
func ZstdFrame(window byte, blocks ...string) string {
	return "\x28\xB5\x2F\xFD\x00" + string([]byte{window}) + strings.Join(blocks, "")
}

// ZstdRun returns a block of n spaces. It has four bytes. last marks the last block of a frame.
func ZstdRun(n int, last bool) string {
	head := n<<3 | 1<<1
	if last {
		head |= 1
	}
	return string([]byte{byte(head), byte(head >> 8), byte(head >> 16), ' '})
}

// ZstdRaw returns a last block that holds text uncompressed.
func ZstdRaw(text string) string {
	head := len(text)<<3 | 1
	return string([]byte{byte(head), byte(head >> 8), byte(head >> 16)}) + text
}

// ZstdBomb returns 16 KiB that become 512 MiB.
var ZstdBomb = sync.OnceValue(func() string {
	return ZstdFrame(zstdSmallWindow, strings.Repeat(ZstdRun(ZstdBlock, false), 4095), ZstdRun(ZstdBlock, true))
})

// ZstdManyFrames returns a thousand frames that each become 5 MiB, the default limit of a bulk.
var ZstdManyFrames = sync.OnceValue(func() string {
	frame := ZstdFrame(zstdSmallWindow, strings.Repeat(ZstdRun(ZstdBlock, false), 39), ZstdRun(ZstdBlock, true))
	return strings.Repeat(frame, 1000)
})
