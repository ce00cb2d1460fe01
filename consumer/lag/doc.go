// Package lag reports how far the partitions of a consumer are behind: in records and in time.
//
// Lag is never negative, and a wrong clock makes none of years. It is reported while the group, Kafka or ClickHouse is
// away, too. The package asks nobody: its user tells it what Kafka answered, and what is in ClickHouse.
//
// To change what counts as the age of a record read Lag.Age; which partitions are reported, Lags.Keep.
package lag
