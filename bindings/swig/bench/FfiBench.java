import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Events;
import org.iip.Iip;
import org.iip.Loop;
import org.iip.Op;
import org.iip.View;

/**
 * FfiBench [--json FILE]: what a crossing costs from Java, in nanoseconds: the best of fifteen runs each, the first of
 * which warm up.
 */
final class FfiBench {
    private static final List<String> LINES = new ArrayList<>(); // of the file, as the other languages write them

    private static final int MANY = 20_000; // of what takes about as long as looking at the clock

    private static void many(Runnable call) {
        for (int i = 0; i < MANY; i++) {
            call.run();
        }
    }

    private static Engine open(String address) {
        EngineOptions options = new EngineOptions();
        options.setPort("pair:ffi");
        options.setAddresses(address);
        return Iip.open(options);
    }

    /** {@code times} runs of work(prepare()), of which only work is timed; per run and unit. */
    private static <T> void row(String name, int times, int units, Supplier<T> prepare, Consumer<T> work) {
        double least = Double.MAX_VALUE;
        for (int run = 0; run < 15; run++) {
            long spent = 0;
            for (int i = 0; i < times; i++) {
                T given = prepare.get();
                long start = System.nanoTime();
                work.accept(given);
                spent += System.nanoTime() - start;
            }
            least = Math.min(least, spent);
        }
        double ns = least / times / units;
        System.out.printf("%-34s %8.0f ns%n", name, ns);
        LINES.add(String.format("  {\"row\": \"crossing: %s\", \"value\": %.1f, \"unit\": \"ns\", \"ratio\": null, "
            + "\"peer\": null}", name, ns));
    }

    private static Supplier<Void> replies(Loop loop, int n) {
        Op op = new Op();
        op.setCode(Iip.OP_NOP);
        op.setFlags(Iip.OP_REPLY);
        return () -> {
            for (int i = 0; i < n; i++) {
                loop.post(op);
            }
            return null;
        };
    }

    /** 32 datagrams that have arrived. */
    private static List<Event> datagrams(Loop here, Loop there, long from) {
        List<Event> events = new ArrayList<>();
        while (events.size() < 32) {
            if (events.isEmpty()) {
                for (int i = 0; i < 32; i++) {
                    Iip.udpSend(from, "10.0.0.2:2", new byte[1400]);
                }
            }
            here.turn(0, 0);
            for (Event event : there.turn(0, 0)) {
                if (event.type() == Iip.EVENT_UDP) {
                    events.add(event);
                }
            }
        }
        return events;
    }

    public static void main(String[] args) throws IOException {
        boolean json = args.length == 2 && args[0].equals("--json");
        if (args.length > 0 && !json) {
            System.err.printf("ffi-bench: %s: no such argument; --json FILE writes the rows there%n",
                args[args.length - 1]);
            System.exit(2);
        }
        measure();
        if (json) {
            Files.writeString(Path.of(args[1]), "[\n" + String.join(",\n", LINES) + "\n]\n");
        }
    }

    private static void measure() {
        try (Engine one = open("10.0.0.1/24"); Engine two = open("10.0.0.2/24")) {
            Loop here = one.loop(0);
            Loop there = two.loop(0);
            here.attach();
            there.attach();
            long from = here.udp("10.0.0.1:1", 0);
            there.udp("10.0.0.2:2", 0);
            Iip.udpSend(from, "10.0.0.2:2", new byte[1]); // it waits for its neighbour's address
            while (here.turn(1000, 0).count() + there.turn(1000, 0).count() < 1) { }
            Supplier<List<Event>> arrived = () -> datagrams(here, there, from);
            row("nop", 1, MANY, () -> null, x -> many(Iip::abiVersion));
            row("turn, idle", 1, MANY, () -> null, x -> many(() -> here.turn(0, 0)));
            row("turn with 1 event", 300, 1, replies(here, 1), x -> all(here.turn(0, 0)));
            row("turn with 64 events", 300, 1, replies(here, 64), x -> all(here.turn(0, 0)));
            row("a field of an event", 50, 32, arrived, events -> events.forEach(Event::type));
            row("recv of 1400 bytes", 50, 32, arrived, events -> events.forEach(Event::recv));
            row("view and close", 50, 32, arrived, events -> events.forEach(event -> {
                try (View view = event.view()) {
                    view.bytes();
                }
            }));
            row("release", 50, 32, arrived, events -> events.forEach(Event::release));
        }
    }

    private static void all(Events events) {
        for (Event event : events) {
            event.type();
        }
    }
}
