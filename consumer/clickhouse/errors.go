package clickhouse

import (
	"errors"
	"strconv"

	"github.com/ClickHouse/ch-go"
)

// Code is ClickHouse's code of an error, or 0 if it did not come from ClickHouse.
func Code(err error) int {
	var native *ch.Exception
	if errors.As(err, &native) {
		return int(native.Code)
	}
	var overHTTP *ServerError
	if errors.As(err, &overHTTP) {
		return overHTTP.Code
	}
	return 0
}

// CodeLabel is the error's metric label.
func CodeLabel(err error) string {
	if code := Code(err); code != 0 {
		return strconv.Itoa(code)
	}
	return "network"
}
