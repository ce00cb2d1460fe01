// Command client sends events with the client that oapi-codegen makes of openapi.json, which the test puts into the package
// api. It prints what it got.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"client/api"
)

func main() {
	if err := send(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func send(url, key string) error {
	ctx := context.Background()
	bearer := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}
	client, err := api.NewClientWithResponses(url, api.WithRequestEditorFn(bearer))
	if err != nil {
		return err
	}
	event := api.Event{
		Message: new("one from go"), Level: new("warn"), Exception: &api.Exception{Type: new("Error")},
		AdditionalProperties: map[string]any{"anything": "else"},
	}
	event.Tags, event.Timestamp, event.Fingerprint = &api.Event_Tags{}, &api.Event_Timestamp{}, &api.Event_Fingerprint{}
	if err := event.Tags.FromEventTags0(api.EventTags0{"region": "eu"}); err != nil {
		return err
	}
	if err := event.Timestamp.FromEventTimestamp1(1795435200123); err != nil {
		return err
	}
	if err := event.Fingerprint.FromEventFingerprint1([]string{"a", "b"}); err != nil {
		return err
	}
	one, err := client.SendEventWithResponse(ctx, &api.SendEventParams{}, event)
	if err != nil || one.JSON202 == nil {
		return fmt.Errorf("one event: %w, %s", err, one.Body)
	}
	var bulk api.Bulk
	if err := bulk.FromBulk0([]api.Event{{Message: new("two from go")}, {Message: new(" ")}, {Message: new("three from go")}}); err != nil {
		return err
	}
	many, err := client.SendEventsWithResponse(ctx, &api.SendEventsParams{}, bulk)
	if err != nil || many.JSON202 == nil || many.JSON202.Errors == nil {
		return fmt.Errorf("a bulk: %w, %s", err, many.Body)
	}
	bad, err := client.SendEventWithResponse(ctx, &api.SendEventParams{}, api.Event{Message: new("x"), Level: new("loud")})
	if err != nil || bad.JSON400 == nil || bad.JSON400.Field == nil {
		return fmt.Errorf("a bad event: %w, %s", err, bad.Body)
	}
	fmt.Println(one.JSON202.Status, one.JSON202.EventId, many.JSON202.Accepted, many.JSON202.Rejected,
		(*many.JSON202.Errors)[0].Code, bad.JSON400.Code, *bad.JSON400.Field)
	return nil
}
