package realistic

// page is a page of the shop.
type page uint8

const (
	home page = iota
	category
	search
	product
	cart
	checkoutPage
	payment
	done
	account
	pages            // their number
	leave page = 255 // the journey is over
)

// about says what belongs to a page.
type about struct {
	transaction string // of the browser
	api         string // transaction of the service behind it
	event       string // product event on arrival; mostly none
	title       string
	millis      float64 // usual duration of the request
	next        []toPage
}

type toPage struct {
	share float64
	to    page
}

var abouts = [pages]about{
	home: {"/", "GET /api/home", "", "Home", 60,
		[]toPage{{.35, category}, {.25, search}, {.15, product}, {.05, account}}},
	category: {"/c/:category", "GET /api/categories/{slug}/products", "", "Category", 95,
		[]toPage{{.6, product}, {.1, search}, {.1, category}}},
	search: {"/search", "GET /api/search", "Products Searched", "Search", 180, []toPage{{.57, product}, {.15, search}}},
	product: {"/p/:slug", "GET /api/products/{id}", "Product Viewed", "Product", 75,
		[]toPage{{.3, cart}, {.25, product}, {.15, category}}},
	cart: {"/cart", "POST /api/cart/items", "Product Added", "Cart", 110,
		[]toPage{{.52, checkoutPage}, {.18, product}}},
	checkoutPage: {"/checkout", "POST /api/checkout", "Checkout Started", "Checkout", 240,
		[]toPage{{.74, payment}, {.06, cart}}},
	payment: {"/checkout/payment", "POST /api/payments", "Payment Info Entered", "Payment", 820,
		[]toPage{{.86, done}, {.05, payment}}},
	done:    {"/checkout/done", "GET /api/orders/{id}", "Order Completed", "Thank you", 90, []toPage{{.08, home}}},
	account: {"/account", "GET /api/account", "", "Account", 70, []toPage{{.4, home}}},
}

func enter(r *prng) page {
	switch u := r.unit(); {
	case u < 0.5:
		return home
	case u < 0.8:
		return product
	case u < 0.95:
		return category
	default:
		return account
	}
}

// next is where a user goes from here.
func (p page) next(r *prng) page {
	u := r.unit()
	for _, n := range abouts[p].next {
		if u < n.share {
			return n.to
		}
		u -= n.share
	}
	return leave
}

func (p page) event() string { return abouts[p].event }

// backend is the service that answers the page's requests.
func (p page) backend() serviceNo {
	switch p {
	case category, search, product:
		return catalog
	case cart, checkoutPage:
		return checkout
	case payment:
		return billing
	default:
		return storefront
	}
}
