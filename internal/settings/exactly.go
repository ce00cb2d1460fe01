package settings

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"sluice/internal/conffile"
)

// exactly makes kong read numbers and times in decimal. On its own kong reads 0x10 and 1_000 as numbers, and 010 as 8.
type exactly struct{}

// Apply implements kong.Option.
func (exactly) Apply(k *kong.Kong) error {
	for _, option := range []kong.Option{
		numbers(func(text string, into reflect.Value) error {
			n, err := conffile.ParseInt(text, into.Type().Bits())
			into.SetInt(n)
			return err
		}, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64),
		numbers(func(text string, into reflect.Value) error {
			n, err := conffile.ParseUint(text, into.Type().Bits())
			into.SetUint(n)
			return err
		}, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64),
		numbers(func(text string, into reflect.Value) error {
			f, err := conffile.ParseFloat(text)
			into.SetFloat(f)
			return err
		}, reflect.Float32, reflect.Float64),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), mapper(func(text string, into reflect.Value) error {
			d, err := ParseDuration(text)
			into.SetInt(int64(d))
			return err
		})),
	} {
		if err := option.Apply(k); err != nil {
			return fmt.Errorf("describe the settings: %w", err)
		}
	}
	return nil
}

// numbers returns the option that reads values of the given kinds with read.
func numbers(read func(text string, into reflect.Value) error, kinds ...reflect.Kind) kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, kind := range kinds {
			if err := kong.KindMapper(kind, mapper(read)).Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// mapper passes the text of a value to read. Its error repeats the text only if the text is short and cannot contain a
// secret.
func mapper(read func(text string, into reflect.Value) error) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		token, err := ctx.Scan.PopValue("value")
		if err != nil {
			return err
		}
		text, ok := token.Value.(string)
		if !ok {
			return errors.New("takes one value")
		}
		into := reflect.New(target.Type()).Elem()
		if err := read(text, into); err != nil {
			return fmt.Errorf("%q: %w", shorten(text), err)
		}
		target.Set(into)
		return nil
	}
}

// shorten returns the beginning of a text.
func shorten(text string) string {
	const most = 24
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
