package series

// Increase returns by how much a counter grew between two readings of one process, by a label's value; "" keeps all
// together. A counter that fell was started anew, and its value is its increase. A counter that is new is as well.
func Increase(before, now Reading, name, label string) map[string]float64 {
	old := map[string]float64{}
	for _, m := range before[name].GetMetric() {
		old[key(m, nil)] = value(m)
	}
	out := map[string]float64{}
	for _, m := range now[name].GetMetric() {
		grew := growth(old[key(m, nil)], value(m))
		if label == "" {
			out[""] += grew
		} else {
			out[key(m, []string{label})] += grew
		}
	}
	return out
}

func growth(before, now float64) float64 {
	if now < before {
		return now
	}
	return now - before
}
