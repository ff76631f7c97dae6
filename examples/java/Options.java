import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The command line: one table for the parsing, for the help and for the checks. The flags are those of examples/c. */
final class Options {
    private record Option(String name, String value, String help, Consumer<String> read) {}

    final String program;
    private final String about;
    private final Map<String, Option> all = new LinkedHashMap<>();

    String port;
    final List<String> addresses = new ArrayList<>();
    final List<String> routes = new ArrayList<>();
    final List<String> tunables = new ArrayList<>();
    int listen;
    String pcap;
    String statsJson;
    double durationS;
    int loops = 1;
    String model = "unified";

    /** With the flags that all programs take. */
    Options(String program, String about, int listen) {
        this.program = program;
        this.about = about;
        this.listen = listen;
        text("port", "STRING", "tap:NAME, pair:NAME, sim:..., dpdk:... (default tap:iip0)", v -> port = v);
        list("addr", "A/PLEN", "our own address; repeatable", addresses::add);
        list("gateway", "G", "default gateway; repeatable (IPv4, IPv6)", v -> routes.add("default via " + v));
        number("listen", "PORT", "port that is served", 1, 65535, v -> this.listen = (int) (long) v);
        text("pcap", "FILE", "record all packets", v -> pcap = v);
        list("set", "NAME=VALUE", "a tunable of the stack; repeatable", this::tunable);
        text("stats-json", "FILE", "statistics, at the end and on SIGUSR1", v -> statsJson = v);
        seconds("duration", "S", "end after S seconds", v -> durationS = v);
        number("loops", "N", "loops, one thread each (also --threads)", 1, 64, v -> loops = (int) (long) v);
        text("model", "MODEL", "unified; split, merge: networking in a thread of its own", this::model);
        number("threads", "N", "the same as --loops", 1, 64, v -> loops = (int) (long) v);
    }

    // ---- kinds of options ----

    void flag(String name, String help, Runnable set) {
        all.put("--" + name, new Option(name, null, help, v -> set.run()));
    }

    void text(String name, String value, String help, Consumer<String> set) {
        all.put("--" + name, new Option(name, value, help, set));
    }

    void list(String name, String value, String help, Consumer<String> add) {
        text(name, value, help, v -> {
            if (v.isEmpty()) {
                throw usage(name, v, "is empty; see --help");
            }
            add.accept(v);
        });
    }

    void number(String name, String value, String help, long least, long most, Consumer<Long> set) {
        text(name, value, help, v -> {
            try {
                long number = v.matches("[0-9]+") ? Long.parseLong(v) : -1;
                if (number >= least && number <= most) {
                    set.accept(number);
                    return;
                }
            } catch (NumberFormatException e) { // too long
            }
            throw usage(name, v, "give a number from " + least + " to " + most);
        });
    }

    void seconds(String name, String value, String help, Consumer<Double> set) {
        text(name, value, help, v -> {
            double number = v.matches("[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?|[0-9]+[.]") ? Double.parseDouble(v) : -1;
            if (number < 0 || number >= 1e9) {
                throw usage(name, v, "give seconds, for example 2.5");
            }
            set.accept(number);
        });
    }

    private void tunable(String text) {
        if (!text.contains("=")) {
            throw usage("set", text, "give name=value, for example tcp.mss=1400");
        }
        tunables.add(text);
    }

    private void model(String text) {
        if (!List.of("unified", "split", "merge").contains(text)) {
            throw usage("model", text, "give unified, split or merge");
        }
        model = text;
    }

    // ---- parsing ----

    /** Ends the program because of its arguments: one line with the value and the remedy, exit code 2. */
    IllegalStateException usage(String name, String value, String remedy) {
        System.err.printf("%s: --%s%s: %s%n", program, name, value == null ? "" : " " + value, remedy);
        System.exit(2);
        return new IllegalStateException(remedy); // for the compiler: throw usage(...)
    }

    private IllegalStateException mistake(String word, String text) {
        System.err.printf("%s: %s: %s; --help lists what there is%n", program, word, text);
        System.exit(2);
        return new IllegalStateException(text);
    }

    private void help() {
        System.out.printf("%s: %s%n%n", program, about);
        for (Option o : all.values()) {
            System.out.printf("  %-24s %s%n", "--" + o.name + (o.value == null ? "" : " " + o.value), o.help);
        }
        System.out.printf("  %-24s %s%n", "--help", "this text");
        System.exit(0);
    }

    /** Reads the command line. */
    void parse(String[] args) {
        for (int i = 0; i < args.length; i++) {
            int equals = args[i].startsWith("--") ? args[i].indexOf('=') : -1;
            String word = equals < 0 ? args[i] : args[i].substring(0, equals);
            String value = equals < 0 ? null : args[i].substring(equals + 1);
            Option o = all.get(word);
            if (word.equals("--help") && value == null) {
                help();
            } else if (!word.startsWith("-")) {
                throw mistake(args[i], "unexpected");
            } else if (o == null && !word.equals("--help")) {
                throw mistake(args[i], "no such option");
            } else if (o == null || o.value == null && value != null) {
                throw mistake(args[i], "takes no value");
            } else if (o.value != null && value == null && ++i == args.length) {
                throw mistake(word, "needs a value");
            }
            o.read.accept(value == null && o.value != null ? args[i] : value);
        }
    }
}
