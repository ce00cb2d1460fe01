// Package admin serves the admin port: liveness and readiness of a process, its metrics and its profiles. The admin
// port must never be public.
package admin
