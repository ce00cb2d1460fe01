// Package admin serves the admin port: liveness and readiness of a process, its metrics and its profiles, and a
// console if the process has one. The admin
// port must never be public.
package admin
