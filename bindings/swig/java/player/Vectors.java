import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Plays a vector (examples/vectors/README.md) and prints its trace: Vectors DIR FILE.vec; DIR takes the captures. */
final class Vectors {
    private final World world;
    private final Map<String, Player> players = new LinkedHashMap<>();

    private Vectors(String directory) {
        world = new World(directory);
    }

    private List<Player> open() {
        return players.values().stream().filter(player -> player.engine != null).toList();
    }

    private void turnAll() { // until nothing happens
        boolean busy = true;
        while (busy) {
            busy = false;
            for (Player player : open()) {
                busy |= player.turn(0);
            }
        }
    }

    private long advance(long us) {
        List<Player> open = open();
        return open.isEmpty() ? 0 : open.get(0).engine.advance(us);
    }

    private void run(long us, long step, String line) {
        turnAll();
        while (us > 0) {
            advance(Math.min(step, us));
            us -= Math.min(step, us);
            turnAll();
        }
        world.say("> %s -> %d", line, advance(0));
    }

    private void play(String line) throws IOException {
        String[] w = line.split(" +");
        if (line.isBlank() || line.startsWith("#")) {
            return;
        }
        if (w[0].equals("engine")) {
            players.put(w[1], new Player(world, w, line));
        } else if (w[0].equals("run")) {
            long us = w.length > 1 ? Long.parseLong(w[1]) : 0;
            run(us, w.length > 2 ? Long.parseLong(w[2]) : us, line);
        } else {
            players.get(w[0]).step(Arrays.copyOfRange(w, 1, w.length), line);
        }
    }

    public static void main(String[] args) throws IOException {
        Vectors vectors = new Vectors(args[0]);
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            vectors.play(line);
        }
        for (Player player : vectors.open()) {
            player.end("end");
        }
        System.out.print(vectors.world.out);
    }
}
