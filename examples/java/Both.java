import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Function;

/** A server and a client on the two ends of one in-memory port, with threads of their own in one process. */
final class Both {
    private static final List<String> SERVER = List.of("10.9.0.1/24", "fd09::1/64");
    private static final List<String> CLIENT = List.of("10.9.0.2/24", "fd09::2/64");

    private final LoadPlan plan;
    private final Run server;
    private final Run client;

    Both(Options options, LoadPlan plan, String... serverCounts) {
        this.plan = plan;
        if (options.port == null) {
            options.port = "pair:self-test";
        }
        if (!options.port.startsWith("pair:") && !options.port.startsWith("sim:")) {
            throw options.usage("port", options.port,
                "has one end; for --self and --self-test give pair:NAME or sim:NAME");
        }
        plan.peer("10.9.0.1:" + options.listen);
        server = new Run(end(options, SERVER, options.pcap, options.statsJson), serverCounts);
        client = new Run(end(options, CLIENT, null, options.statsJson == null ? null : options.statsJson + ".client"),
            LoadClient.COUNTS);
        server.silent = true;
    }

    private static Options end(Options of, List<String> addresses, String pcap, String statsJson) {
        Options made = new Options(of.program, "", of.listen);
        made.port = of.port;
        made.addresses.addAll(addresses);
        made.routes.addAll(of.routes);
        made.tunables.addAll(of.tunables);
        made.loops = of.loops;
        made.model = of.model;
        made.pcap = pcap;
        made.statsJson = statsJson;
        return made;
    }

    /** Until the client is done; report(client, server) while both engines live. The exit code. */
    int run(Function<LoopThread, Worker> serve, BiConsumer<Stats, Stats> report) throws InterruptedException {
        server.listen();
        server.start(serve);
        client.start(loop -> new LoadClient(loop, plan));
        client.await();
        client.stop();
        server.stop();
        report.accept(client.stats(), server.stats());
        boolean right = client.close() & server.close();
        return right && plan.result.errors + plan.result.mismatches == 0 ? 0 : 1;
    }
}
