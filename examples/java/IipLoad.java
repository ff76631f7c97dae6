import java.util.List;

/** iip_load: messages that an echo server returns, bulk either way, HTTP; every byte verified. */
final class IipLoad {
    private final LoadPlan plan = new LoadPlan();
    private final Options options = new Options("iip_load", "a load generator that verifies every byte", 7);
    private String connect;
    private long count;
    private long bytes;
    private boolean serve;
    private boolean self;
    private boolean json;

    private void parse(String[] args) {
        options.text("connect", "A:PORT", "the server", v -> connect = v);
        options.text("mode", "MODE", "pp: messages that an echo server returns; send, recv: bulk; http",
            v -> plan.mode = v);
        options.number("conns", "N", "connections (1)", 1, 1_000_000, v -> plan.conns = v);
        options.number("size", "BYTES", "pp: of a message (1)", 1, 1 << 24, v -> plan.size = v);
        options.number("depth", "N", "pp, http: messages on their way per connection (1)", 1, 256, v -> plan.depth = v);
        options.number("count", "N", "messages in all (10000 without --duration)", 1, Long.MAX_VALUE, v -> count = v);
        options.number("bytes", "N", "send, recv: per connection (10^8 without --duration)", 1, 1L << 50,
            v -> bytes = v);
        options.text("path", "PATH", "http: what to get (/bytes/1000)", v -> plan.path = v);
        options.flag("serve", "be the server of this mode on --listen", () -> serve = true);
        options.flag("self", "be both, on a pair: or sim: port", () -> self = true);
        options.flag("json", "no table, only the last line", () -> json = true);
        options.parse(args);
    }

    private void checkMode() {
        boolean http = plan.mode.equals("http");
        if (!List.of("pp", "send", "recv", "http").contains(plan.mode)) {
            throw options.usage("mode", plan.mode, "give pp, send, recv or http");
        }
        if (serve && http) {
            throw options.usage("mode", plan.mode, "is what iip_http serves");
        }
        if (self && http) {
            throw options.usage("mode", plan.mode, "with a server in the same process is `iip_http --self-test`");
        }
        if (http && (plan.path.length() > 400 || !plan.path.matches("(?s)/[^\\x00-\\x20\\x7f]*"))) {
            throw options.usage("path", plan.path,
                "give a path without blanks, up to 400 bytes, for example /bytes/1000");
        }
    }

    private void checkPeer() {
        if (connect == null) {
            throw options.usage("connect", null, "missing; give the server as ADDRESS:PORT, or --serve, or --self");
        }
        boolean right = connect.matches("(\\[[0-9A-Fa-f:.]+\\]|[0-9.]+):[0-9]{1,5}");
        int port = right ? Integer.parseInt(connect.substring(connect.lastIndexOf(':') + 1)) : 0;
        if (port < 1 || port > 65535) {
            throw options.usage("connect", connect, "give ADDRESS:PORT, for example 10.0.0.1:7 or [fd00::1]:7");
        }
        plan.peer(connect);
    }

    private void plan() {
        boolean timed = options.durationS > 0;
        boolean messages = plan.mode.equals("pp") || plan.mode.equals("http");
        plan.durationS = options.durationS;
        plan.count = count > 0 ? count : messages && !timed ? 10000 : Long.MAX_VALUE;
        plan.bytes = bytes > 0 ? bytes : serve || timed ? Long.MAX_VALUE : 100_000_000;
    }

    private int client() throws InterruptedException {
        options.durationS = 0; // the loops end in order by themselves
        Run run = new Run(options, LoadClient.COUNTS);
        run.start(loop -> new LoadClient(loop, plan));
        run.await();
        run.stop();
        plan.result.report(plan, run.stats(), options.port, json);
        boolean right = run.close();
        return right && plan.result.errors + plan.result.mismatches == 0 ? 0 : 1;
    }

    private int both() throws InterruptedException {
        Both both = new Both(options, plan, LoadClient.COUNTS);
        return both.run(loop -> new LoadServer(loop, plan),
            (client, server) -> plan.result.report(plan, client, options.port, json));
    }

    public static void main(String[] args) throws InterruptedException {
        IipLoad load = new IipLoad();
        load.parse(args);
        load.checkMode();
        if (!load.serve && !load.self) {
            load.checkPeer();
        }
        load.plan();
        if (load.serve) {
            Run run = new Run(load.options, LoadClient.COUNTS);
            run.listen();
            run.serve(loop -> new LoadServer(loop, load.plan));
        }
        System.exit(load.self ? load.both() : load.client());
    }
}
