package realistic

import (
	"fmt"
	"strings"
)

func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"):
		return noun + "es"
	case strings.HasSuffix(noun, "y"):
		return noun[:len(noun)-1] + "ies"
	default:
		return noun + "s"
	}
}

func title(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

var (
	shopNouns = []string{
		"order", "cart", "coupon", "invoice", "address", "shipment", "refund", "price", "stock", "customer", "session",
		"review", "basket", "voucher", "warehouse", "currency", "tax", "delivery", "wishlist", "payment",
	}
	shopVerbs = []string{
		"load", "update", "validate", "submit", "render", "parse", "apply", "calculate", "fetch", "merge", "convert",
		"resolve", "reserve", "notify", "select",
	}
)

var browserJS = language{
	name: "browser",
	errors: [][2]string{
		{"TypeError", "Cannot read properties of undefined (reading '%w')"},
		{"ChunkLoadError", "Loading chunk %n failed. (error: https://cdn.shop.example/assets/%w.%n.js)"},
		{"TypeError", "Failed to fetch"},
		{"TypeError", "Cannot read properties of null (reading '%wId')"},
		{"ReferenceError", "%w is not defined"},
		{"TypeError", "%w.map is not a function"},
		{"Error", "Minified React error #%n; visit https://react.dev/errors/%n for the full message about %w."},
		{"QuotaExceededError", "Failed to execute 'setItem' on 'Storage': Setting the value of '%w' " +
			"exceeded the quota."},
		{"RangeError", "Maximum call stack size exceeded"},
		{"SyntaxError", "Unexpected token '<', \"<!doctype \"... is not valid JSON"},
		{"AbortError", "The user aborted a request for %w."},
		{"HydrationError", "Text content of <%w> does not match server-rendered HTML."},
		{"NotAllowedError", "play() failed because the user didn't interact with the document first."},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs,
	inApp: func(noun, verb string, n int) frameText {
		dir := [...]string{"components", "hooks", "pages", "store", "lib"}[n%5]
		return frameText{
			Filename: fmt.Sprintf("webpack://shop-web/./src/%s/%s%s.tsx", dir, noun, title(verb)),
			Function: verb + title(noun), column: true,
			Context: fmt.Sprintf("    const %s = await %s%s(props.%sId, { signal });", noun, verb, title(noun), noun),
		}
	},
	library: []frameText{
		{
			Filename: "webpack://shop-web/./node_modules/scheduler/cjs/scheduler.production.js",
			Function: "performWorkUntilDeadline", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/react-dom/cjs/react-dom-client.production.js",
			Function: "performWorkOnRoot", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/react-dom/cjs/react-dom-client.production.js",
			Function: "renderRootSync", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/react-dom/cjs/react-dom-client.production.js",
			Function: "beginWork", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/react-dom/cjs/react-dom-client.production.js",
			Function: "commitHookEffectListMount", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/@tanstack/query-core/build/modern/retryer.js",
			Function: "run", column: true,
		},
		{
			Filename: "webpack://shop-web/./node_modules/react-router/dist/development/index.mjs",
			Function: "callRouteAction", column: true,
		},
		{Filename: "webpack://shop-web/./node_modules/zustand/esm/vanilla.mjs", Function: "setState", column: true},
	},
	module: func(noun string) string { return "src/store/" + noun },
}

var nodeTS = language{
	name: "node",
	errors: [][2]string{
		{"UnhandledPromiseRejection", "connect ECONNREFUSED 10.4.%n.%n:6379"},
		{"AxiosError", "Request failed with status code %n"},
		{"TypeError", "Cannot destructure property '%w' of 'req.body' as it is undefined."},
		{"Error", "timeout of %nms exceeded while waiting for %w"},
		{"FetchError", "request to http://catalog.internal/%w/%n failed, reason: socket hang up"},
		{"ZodError", "Invalid input: expected string, received undefined at \"%w.id\""},
		{"PrismaClientKnownRequestError", "Unique constraint failed on the fields: (`%w_id`)"},
		{"JsonWebTokenError", "invalid signature of %w token"},
		{"RangeError", "Invalid time value in %w"},
		{"Error", "ER_LOCK_DEADLOCK: Deadlock found when trying to get lock on `%w`; try restarting transaction"},
		{"SyntaxError", "Unexpected end of JSON input while reading %w"},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs,
	inApp: func(noun, verb string, n int) frameText {
		dir := [...]string{"services", "routes", "middleware", "clients", "resolvers"}[n%5]
		file := fmt.Sprintf("%s/%s.%s.ts", dir, noun, strings.TrimSuffix(dir, "s"))
		return frameText{
			Filename: "src/" + file, AbsPath: "/app/src/" + file, column: true,
			Function: title(noun) + "Service." + verb,
			Context:  fmt.Sprintf("      const %s = await this.%s.%s({ where: { id } });", noun, plural(noun), verb),
		}
	},
	library: []frameText{
		{Filename: "node:internal/process/task_queues", Function: "process.processTicksAndRejections", column: true},
		{
			Filename: "node_modules/express/lib/router/layer.js",
			AbsPath:  "/app/node_modules/express/lib/router/layer.js", Function: "Layer.handle", column: true,
		},
		{
			Filename: "node_modules/express/lib/router/route.js",
			AbsPath:  "/app/node_modules/express/lib/router/route.js", Function: "next", column: true,
		},
		{
			Filename: "node_modules/express/lib/router/index.js",
			AbsPath:  "/app/node_modules/express/lib/router/index.js", Function: "Function.process_params",
			column: true,
		},
		{
			Filename: "node_modules/axios/lib/core/settle.js",
			AbsPath:  "/app/node_modules/axios/lib/core/settle.js", Function: "settle", column: true,
		},
		{
			Filename: "node_modules/@prisma/client/runtime/library.js",
			AbsPath:  "/app/node_modules/@prisma/client/runtime/library.js", Function: "ei.handleRequestError",
			column: true,
		},
		{
			Filename: "node_modules/ioredis/built/Redis.js", AbsPath: "/app/node_modules/ioredis/built/Redis.js",
			Function: "EventEmitter.connectionCloseHandler", column: true,
		},
	},
	module: func(noun string) string { return "services/" + noun + ".service" },
}

var golang = language{
	name: "go",
	errors: [][2]string{
		{"runtime.boundsError", "index out of range [%n] with length %n"},
		{"*errors.errorString", "context deadline exceeded"},
		{"*net.OpError", "dial tcp 10.2.%n.%n:5432: connect: connection refused"},
		{"runtime.plainError", "invalid memory address or nil pointer dereference in %w"},
		{"*pgconn.PgError", "ERROR: duplicate key value violates unique constraint \"%w_pkey\" (SQLSTATE 23505)"},
		{"*fmt.wrapError", "reserve %w %u: stock service: 503 Service Unavailable"},
		{"*json.UnmarshalTypeError", "json: cannot unmarshal string into Go struct field %w.amount of type int64"},
		{"*url.Error", "Post \"http://billing.internal/v2/%w\": EOF"},
		{"*status.Error", "rpc error: code = Unavailable desc = upstream connect error or disconnect/reset " +
			"before headers: %w"},
		{"*checkout.InsufficientStockError", "only %n of %n left of %w"},
		{"*errors.joinError", "%w %u is not in a state that can be paid"},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs,
	inApp: func(noun, verb string, n int) frameText {
		pkg := [...]string{"internal/api", "internal/store", "internal/pricing", "internal/flow"}[n%4]
		return frameText{
			Filename: pkg + "/" + noun + ".go", AbsPath: "/src/checkout/" + pkg + "/" + noun + ".go",
			Module: "shop.example/checkout/" + pkg, Function: "(*" + title(plural(noun)) + ")." + title(verb),
			Context: fmt.Sprintf("\t%s, err := s.%s%s(ctx, req.%sID)", noun, verb, title(noun), title(noun)),
		}
	},
	library: []frameText{
		{
			Filename: "net/http/server.go", AbsPath: "/usr/local/go/src/net/http/server.go", Module: "net/http",
			Function: "(*conn).serve",
		},
		{
			Filename: "net/http/server.go", AbsPath: "/usr/local/go/src/net/http/server.go", Module: "net/http",
			Function: "serverHandler.ServeHTTP",
		},
		{
			Filename: "github.com/go-chi/chi/v5/mux.go",
			AbsPath:  "/go/pkg/mod/github.com/go-chi/chi/v5@v5.2.0/mux.go", Module: "github.com/go-chi/chi/v5",
			Function: "(*Mux).routeHTTP",
		},
		{
			Filename: "github.com/getsentry/sentry-go/http/sentryhttp.go",
			AbsPath:  "/go/pkg/mod/github.com/getsentry/sentry-go@v0.31.1/http/sentryhttp.go",
			Module:   "github.com/getsentry/sentry-go/http", Function: "(*Handler).handle.func1",
		},
		{
			Filename: "github.com/jackc/pgx/v5/conn.go",
			AbsPath:  "/go/pkg/mod/github.com/jackc/pgx/v5@v5.7.1/conn.go", Module: "github.com/jackc/pgx/v5",
			Function: "(*Conn).Query",
		},
		{
			Filename: "google.golang.org/grpc/call.go",
			AbsPath:  "/go/pkg/mod/google.golang.org/grpc@v1.69.0/call.go", Module: "google.golang.org/grpc",
			Function: "(*ClientConn).Invoke",
		},
	},
	module: func(string) string { return "" },
}

var java = language{
	name: "java",
	errors: [][2]string{
		{"java.lang.OutOfMemoryError", "Java heap space"},
		{"java.lang.NullPointerException", "Cannot invoke \"com.shop.billing.%w.getId()\" because \"%w\" is null"},
		{"java.net.SocketTimeoutException", "Read timed out after %n ms calling the bank for %w"},
		{"org.postgresql.util.PSQLException", "ERROR: deadlock detected on relation \"%w\". Detail: Process " +
			"%n waits for ShareLock on transaction %n"},
		{"org.springframework.dao.DataIntegrityViolationException", "could not execute statement; " +
			"constraint [%w_number_key]"},
		{"java.lang.IllegalStateException", "%w %u was captured already"},
		{"java.util.concurrent.RejectedExecutionException", "Task of %w rejected from " +
			"ThreadPoolExecutor[Running, pool size = %n, queued tasks = %n]"},
		{"com.shop.billing.PaymentDeclinedException", "card declined (%n) for %w"},
		{"com.fasterxml.jackson.databind.exc.MismatchedInputException", "Cannot deserialize value of type " +
			"`java.math.BigDecimal` from Array value in %w"},
		{"java.lang.IllegalArgumentException", "Currency of %w differs: EUR and GBP"},
		{"org.springframework.web.client.ResourceAccessException", "I/O error on POST request for " +
			"\"https://psp.example/v1/%w\": Connection reset"},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs,
	inApp: func(noun, verb string, n int) frameText {
		layer := [...]string{"Service", "Controller", "Repository", "Client"}[n%4]
		return frameText{
			Filename: title(noun) + layer + ".java", Function: verb + title(noun),
			Module:  "com.shop.billing." + noun + "." + title(noun) + layer,
			Context: fmt.Sprintf("        return %sRepository.%sById(id).orElseThrow();", noun, verb),
		}
	},
	library: []frameText{
		{Filename: "Thread.java", Function: "run", Module: "java.lang.Thread"},
		{
			Filename: "ThreadPoolExecutor.java", Function: "runWorker",
			Module: "java.util.concurrent.ThreadPoolExecutor",
		},
		{Filename: "Http11Processor.java", Function: "service", Module: "org.apache.coyote.http11.Http11Processor"},
		{
			Filename: "ApplicationFilterChain.java", Function: "doFilter",
			Module: "org.apache.catalina.core.ApplicationFilterChain",
		},
		{
			Filename: "FrameworkServlet.java", Function: "doPost",
			Module: "org.springframework.web.servlet.FrameworkServlet",
		},
		{
			Filename: "DispatcherServlet.java", Function: "doDispatch",
			Module: "org.springframework.web.servlet.DispatcherServlet",
		},
		{
			Filename: "TransactionInterceptor.java", Function: "invoke",
			Module: "org.springframework.transaction.interceptor.TransactionInterceptor",
		},
		{Filename: "HikariPool.java", Function: "getConnection", Module: "com.zaxxer.hikari.pool.HikariPool"},
	},
	module: func(noun string) string { return "com.shop.billing." + noun },
}

var python = language{
	name: "python",
	errors: [][2]string{
		{"MemoryError", "cannot allocate %n bytes for %w"},
		{"KeyError", "'%w'"},
		{"AttributeError", "'NoneType' object has no attribute '%w'"},
		{"OperationalError", "connection to server at \"db.internal\", port 5432 failed: timeout expired reading %w"},
		{"ValidationError", "['“%n” is not a valid %w.']"},
		{"DoesNotExist", "%w matching query does not exist: id %n"},
		{"ConnectionError", "HTTPConnectionPool(host='search.internal', port=9200): Max retries exceeded " +
			"with url: /%w/_search"},
		{"ValueError", "could not convert string to float in %w: '%n,%n'"},
		{"UnicodeDecodeError", "'utf-8' codec can't decode byte 0xe4 in position %n of %w"},
		{"IntegrityError", "null value in column \"%w_id\" violates not-null constraint. Failing row " +
			"contains (%n, null)"},
		{"TimeoutError", "the lock on %w was not acquired within %n ms"},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs, inApp: pythonFrame("catalog"),
	library: []frameText{
		{
			Filename: "django/core/handlers/exception.py", Module: "django.core.handlers.exception",
			AbsPath: "/usr/lib/python3.13/site-packages/django/core/handlers/exception.py", Function: "inner",
		},
		{
			Filename: "django/core/handlers/base.py", Module: "django.core.handlers.base",
			AbsPath: "/usr/lib/python3.13/site-packages/django/core/handlers/base.py", Function: "_get_response",
		},
		{
			Filename: "rest_framework/views.py", Module: "rest_framework.views",
			AbsPath: "/usr/lib/python3.13/site-packages/rest_framework/views.py", Function: "dispatch",
		},
		{
			Filename: "django/db/models/query.py", Module: "django.db.models.query",
			AbsPath: "/usr/lib/python3.13/site-packages/django/db/models/query.py", Function: "get",
		},
		{
			Filename: "django/db/backends/utils.py", Module: "django.db.backends.utils",
			AbsPath: "/usr/lib/python3.13/site-packages/django/db/backends/utils.py", Function: "execute",
		},
		{
			Filename: "urllib3/connectionpool.py", Module: "urllib3.connectionpool",
			AbsPath: "/usr/lib/python3.13/site-packages/urllib3/connectionpool.py", Function: "urlopen",
		},
	},
	module: func(noun string) string { return "catalog." + plural(noun) },
}

var celery = language{
	name: "worker",
	errors: [][2]string{
		{"WorkerLostError", "Worker exited prematurely: signal 9 (SIGKILL) Job: %n."},
		{"SMTPServerDisconnected", "Connection unexpectedly closed while sending %w"},
		{"TemplateSyntaxError", "Invalid filter: 'money' in %w.html"},
		{"MaxRetriesExceededError", "Can't retry tasks.%w.send[%u] args:(%n,)"},
		{"SoftTimeLimitExceeded", "%w took longer than %n s"},
		{"ClientError", "An error occurred (SlowDown) when calling the PutObject operation for %w: Please " +
			"reduce your request rate."},
		{"ConnectionResetError", "[Errno 104] Connection reset by peer in %w"},
		{"DecodeError", "body of the %w message is not JSON at position %n"},
		{"LookupError", "no mail template for %w in language %n"},
	},
	fatal: 1, nouns: shopNouns, verbs: shopVerbs, inApp: pythonFrame("mailworker"),
	library: []frameText{
		{
			Filename: "celery/app/trace.py", Module: "celery.app.trace",
			AbsPath: "/usr/lib/python3.13/site-packages/celery/app/trace.py", Function: "trace_task",
		},
		{
			Filename: "celery/app/trace.py", Module: "celery.app.trace",
			AbsPath: "/usr/lib/python3.13/site-packages/celery/app/trace.py", Function: "__protected_call__",
		},
		{
			Filename: "sentry_sdk/integrations/celery/__init__.py", Module: "sentry_sdk.integrations.celery",
			AbsPath:  "/usr/lib/python3.13/site-packages/sentry_sdk/integrations/celery/__init__.py",
			Function: "_inner",
		},
		{Filename: "smtplib.py", Module: "smtplib", AbsPath: "/usr/lib/python3.13/smtplib.py", Function: "sendmail"},
		{
			Filename: "jinja2/environment.py", Module: "jinja2.environment",
			AbsPath: "/usr/lib/python3.13/site-packages/jinja2/environment.py", Function: "render",
		},
		{
			Filename: "botocore/client.py", Module: "botocore.client",
			AbsPath: "/usr/lib/python3.13/site-packages/botocore/client.py", Function: "_make_api_call",
		},
	},
	module: func(noun string) string { return "mailworker.tasks." + noun },
}

// pythonFrame makes the frames of a package's own code.
func pythonFrame(pkg string) func(noun, verb string, n int) frameText {
	return func(noun, verb string, n int) frameText {
		file := [...]string{"views", "models", "tasks", "services", "serializers"}[n%5]
		path := pkg + "/" + plural(noun) + "/" + file + ".py"
		return frameText{
			Filename: path, AbsPath: "/srv/app/" + path, Module: pkg + "." + plural(noun) + "." + file,
			Function: verb + "_" + noun,
			Context:  fmt.Sprintf("    %s = self.%s_%s(pk=%s_id, using=alias)", noun, verb, noun, noun),
		}
	}
}
