import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import org.iip.Iip;
import org.iip.IipException;

/** What all engines of a vector share: the names it gave, the buffers it holds, and the trace. */
final class World {
    /** What a vector has a name for. */
    static final class Thing {
        final Player at;
        final String name;
        long handle;
        long rxHash = Bytes.START;
        int tx;
        int goal;
        long rx;
        int children;
        boolean blocked;

        Thing(Player at, String name) {
            this.at = at;
            this.name = name;
        }
    }

    record Held(long buf, int len) {}

    final StringBuilder out = new StringBuilder();
    final String directory;
    final List<Thing> all = new ArrayList<>();
    final Map<String, Thing> things = new HashMap<>();
    final Map<Long, Thing> handles = new HashMap<>();
    final List<Held> held = new ArrayList<>();

    World(String directory) {
        this.directory = directory;
    }

    void say(String format, Object... values) {
        out.append(String.format(format, values)).append('\n');
    }

    /** The name of the status that a call throws, or that of success. */
    static String statusOf(LongSupplier call) {
        try {
            call.getAsLong();
            return "IIP_OK";
        } catch (IipException e) {
            return e.statusName();
        }
    }

    static int constant(String name) {
        try {
            return Iip.class.getField(name).getInt(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("no such name: " + name, e);
        }
    }

    Thing add(Player at, String name) {
        Thing about = new Thing(at, name);
        all.add(about);
        things.put(name, about);
        return about;
    }

    void know(Thing about, long handle) {
        about.handle = handle;
        if (handle != 0) {
            handles.put(handle, about);
        }
    }

    Held held(String word) {
        return held.get(Integer.parseInt(word.substring(1)));
    }
}
