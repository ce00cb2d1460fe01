package consumer

import (
	"errors"
	"strconv"

	"github.com/ClickHouse/ch-go"
)

// errorCode is ClickHouse's code of an error, or 0 if it did not come from ClickHouse.
func errorCode(err error) int {
	var native *ch.Exception
	if errors.As(err, &native) {
		return int(native.Code)
	}
	var overHTTP *httpError
	if errors.As(err, &overHTTP) {
		return overHTTP.code
	}
	return 0
}

// codeLabel is the error's metric label.
func codeLabel(err error) string {
	if code := errorCode(err); code != 0 {
		return strconv.Itoa(code)
	}
	return "network"
}
