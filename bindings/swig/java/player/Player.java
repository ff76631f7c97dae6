import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.iip.Engine;
import org.iip.EngineOptions;
import org.iip.Event;
import org.iip.Events;
import org.iip.Iip;
import org.iip.Leaks;
import org.iip.Loop;

/** One engine of a vector: what it is told to do, and what its turns tell. */
final class Player {
    private static final int PUMP = 65536;
    private static final String[] EVENTS = {
        "NONE", "ACCEPT", "CONNECTED", "DATA", "FIN", "WRITABLE", "URGENT", "ERROR", "CLOSED", "UDP", "UDP_ERROR",
        "TX_DONE", "TIMER", "DONE", "LINK"
    };

    private final World world;
    final String name;
    final Set<String> words;
    final Path pcap;
    Engine engine;
    private Loop loop;
    private Operations operations;
    private long state;

    Player(World world, String[] w, String line) {
        this.world = world;
        name = w[1];
        words = Set.of(Arrays.copyOfRange(w, 4, w.length));
        pcap = Path.of(world.directory, name + ".pcap");
        String status = World.statusOf(() -> {
            engine = Iip.open(options(w));
            return 0;
        });
        world.say("> %s -> %s", line, status);
        if (engine != null) {
            loop = engine.loop(0);
            loop.attach();
            operations = new Operations(world, this, loop);
        }
    }

    private EngineOptions options(String[] w) {
        EngineOptions options = new EngineOptions();
        byte[] key = new byte[16];
        Arrays.fill(key, (byte) name.charAt(0));
        options.setPort(w[2]);
        options.setAddresses(w[3]);
        options.setPcap(pcap.toString());
        options.setSeed(name.charAt(0));
        options.setKey(key);
        for (String word : words) {
            if (word.startsWith("spill=")) {
                options.setSpillBytes(Long.parseLong(word.substring(6)));
            } else if (word.startsWith("tunables=")) {
                options.setTunables(word.substring(9));
            }
        }
        return options;
    }

    // ---- a turn, and what it tells ----

    private World.Thing subject(Event event) {
        if (event.type() != Iip.EVENT_ACCEPT) {
            return world.handles.get(event.src());
        }
        World.Thing listener = world.handles.get(event.value());
        World.Thing about = world.add(this, listener.name + "." + ++listener.children);
        world.know(about, event.src());
        return about;
    }

    private void tellEvent(Event event, long now) {
        World.Thing about = subject(event);
        boolean has = event.buf() != 0;
        byte[] data = {};
        if (about != null && event.type() == Iip.EVENT_WRITABLE) {
            about.blocked = false;
        }
        if (has) {
            data = event.peek();
            about.rx += data.length;
            about.rxHash = Bytes.fnv(data, data.length, about.rxHash);
            world.held.add(new World.Held(event.take(), data.length));
            if (!words.contains("hold")) {
                loop.release(world.held.get(world.held.size() - 1).buf());
            }
            if (words.contains("mute")) {
                return;
            }
        }
        world.out.append(String.format("%d %s %s %s %s", now, name, about == null ? "-" : about.name,
            EVENTS[event.type()], Iip.statusName(event.status())));
        word("user", event.user());
        word("flags", event.flags());
        word("len", event.len());
        if (has) {
            long hash = Bytes.fnv(data, data.length, Bytes.START);
            world.out.append(String.format(" hash=%016x buf=@%d", hash, world.held.size() - 1));
        }
        boolean handle = event.type() == Iip.EVENT_ACCEPT || event.value() == event.src();
        word("value", handle ? 0 : event.value());
        String peer = event.peerAddr();
        world.say("%s", peer == null ? "" : " local=" + event.localAddr() + " peer=" + peer);
    }

    private void word(String key, long value) {
        if (value != 0) {
            world.out.append(' ').append(key).append('=').append(Long.toUnsignedString(value));
        }
    }

    private void pump() {
        for (World.Thing about : List.copyOf(world.all)) {
            if (about.at == this && about.goal > about.tx && !about.blocked) {
                String n = Integer.toString(Math.min(PUMP, about.goal - about.tx));
                operations.operation(new String[] {"send", about.name, n}, name + " send " + about.name + " " + n);
            }
        }
    }

    /** Whether something happened. */
    boolean turn(long flags) {
        pump();
        Events events = loop.turn(0, flags);
        long now = loop.now();
        boolean asked = operations.tell();
        if (loop.releaseFailed() > 0) {
            world.say("%d %s release_failed=%d", now, name, loop.releaseFailed());
        }
        for (Event event : events) {
            tellEvent(event, now);
        }
        long is = loop.state() & ~Iip.STATE_MORE;
        if (is != state) {
            world.say("%d %s state=%d", now, name, is);
        }
        state = is;
        return asked || events.count() > 0 || loop.rxPackets() > 0
            || (loop.state() & Iip.STATE_MORE) != 0;
    }

    // ---- steps that are no operations ----

    private long atOnce(String[] w) {
        switch (w[0]) {
            case "inject":
                return engine.inject(HexFormat.of().parseHex(w[1]));
            case "mtu":
                return engine.mtuSet(Long.parseLong(w[1]));
            case "retain":
                return Iip.bufRetain(world.held(w[1]).buf());
            case "free":
                return Iip.bufRelease(world.held(w[1]).buf());
            case "listenall": {
                World.Thing about = world.add(this, w[1]);
                world.know(about, engine.listen(w[2], w.length > 3 ? Long.parseLong(w[3]) : 0, world.all.size()));
                return 0;
            }
            case "unlistenall":
                return engine.unlisten(world.things.get(w[1]).handle);
            case "attach":
                return loop.attach();
            case "detach":
                return loop.detach();
            case "region":
                world.know(world.add(this, w[1]), engine.region(Bytes.pattern(0, Long.parseLong(w[2]))));
                return 0;
            case "unregion":
                return engine.regionRemove(world.things.get(w[1]).handle);
            case "loopclose":
                return loop.close();
            default:
                throw new IllegalArgumentException("no such step: " + w[0]);
        }
    }

    void step(String[] w, String line) throws IOException {
        switch (w[0]) {
            case "post" -> operations.post(Arrays.copyOfRange(w, 1, w.length), line);
            case "release" -> {
                int last = Integer.parseInt(w[w.length - 1].substring(1));
                for (int i = Integer.parseInt(w[1].substring(1)); i <= last; i++) {
                    loop.release(world.held.get(i).buf());
                }
            }
            case "turn" -> turn(w.length > 1 ? Iip.TURN_FLUSH : 0);
            case "pump" -> world.things.get(w[1]).goal = Integer.parseInt(w[2]);
            case "count" -> world.say("> %s -> %d", line, loop.counter(w[1]));
            case "sum" -> {
                World.Thing about = world.things.get(w[1]);
                world.say("> %s -> rx=%d %016x tx=%d %016x", line, about.rx, about.rxHash, about.tx,
                    Bytes.fnv(Bytes.PATTERN, about.tx, Bytes.START));
            }
            case "end" -> end(line);
            default -> {
                if (Verb.VERBS.containsKey(w[0])) {
                    operations.operation(w, line);
                } else {
                    world.say("> %s -> %s", line, World.statusOf(() -> atOnce(w)));
                }
            }
        }
    }

    void end(String line) throws IOException {
        engine.close();
        Leaks leaks = engine.leaks();
        engine = null;
        world.say("> %s -> IIP_OK bufs=%d conns=%d listeners=%d udps=%d timers=%d externs=%d regions=%d", line,
            leaks.getBufs(), leaks.getConns(), leaks.getListeners(), leaks.getUdps(), leaks.getTimers(),
            leaks.getExterns(), leaks.getRegions());
        frames();
    }

    private void frames() throws IOException {
        ByteBuffer capture = ByteBuffer.wrap(Files.readAllBytes(pcap)).order(ByteOrder.nativeOrder()).position(24);
        long total = Bytes.START;
        int n = 0;
        for (; capture.hasRemaining(); n++) {
            long time = capture.getInt() * 1_000_000L + capture.getInt();
            byte[] frame = new byte[capture.getInt()];
            capture.getInt();
            capture.get(frame);
            long hash = Bytes.fnv(frame, frame.length, Bytes.START);
            String text = String.format("%d %d %016x%n", time, frame.length, hash);
            byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
            total = Bytes.fnv(bytes, bytes.length, total);
            if (words.contains("list")) {
                world.out.append(name).append(" frame ").append(text);
            }
        }
        world.say("%s frames=%d hash=%016x", name, n, total);
    }
}
