import org.iip.IipException;

/** The server and a client of ours in one process: what can be shown where there is no network. */
final class HttpSelfTest {
    private static final String PATH = "/bytes/10000";

    private HttpSelfTest() {}

    private static void report(LoadPlan plan, Stats client, Stats server, String port) {
        LoadResult result = plan.result;
        System.out.printf("port          %s%n", port);
        System.out.printf("address       %s%n", plan.peer);
        System.out.printf("requests      %d in %.3f s, %.0f/s%n", result.requests, result.seconds,
            result.requests / Math.max(result.seconds, 1e-9));
        System.out.printf("verified      %d bytes, %d mismatches, %d errors%n", result.bytes, result.mismatches,
            result.errors);
        System.out.printf("retransmits   %d%n", server.counter("tcp_retrans") + client.counter("tcp_retrans"));
        System.out.printf("dropped       %s%n", server.drops());
    }

    /** The exit code. */
    static int run(Options options, HttpSite site, long requests) throws InterruptedException, IipException {
        LoadPlan plan = new LoadPlan();
        plan.mode = "http";
        plan.path = PATH;
        plan.conns = Math.min(requests, 4);
        plan.depth = 4;
        plan.durationS = options.durationS;
        plan.count = options.durationS > 0 ? Long.MAX_VALUE : requests;
        Both both = new Both(options, plan, HttpServer.COUNTS);
        return both.run(loop -> new HttpServer(loop, site),
            (client, server) -> report(plan, client, server, options.port));
    }
}
