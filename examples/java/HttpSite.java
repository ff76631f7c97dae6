import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** What a path names: a file below the root, a directory's index or list, or bytes that are computed. */
final class HttpSite {
    /** 200 and a body, 301 (a directory without its '/'), 404. */
    record Found(int status, HttpBody body) {}

    private static final Found NOTHING = new Found(404, null);
    private static final int LIST_MAX = 4 << 20;
    private static final String HTML = "text/html; charset=utf-8";
    private static final String PLAIN = "text/plain; charset=utf-8";
    private static final Map<String, String> TYPES = Map.ofEntries(
        Map.entry("html", HTML), Map.entry("htm", HTML), Map.entry("css", "text/css"),
        Map.entry("js", "text/javascript"),
        Map.entry("json", "application/json"), Map.entry("txt", PLAIN), Map.entry("md", PLAIN), Map.entry("c", PLAIN),
        Map.entry("h", PLAIN), Map.entry("svg", "image/svg+xml"), Map.entry("png", "image/png"),
        Map.entry("jpg", "image/jpeg"), Map.entry("jpeg", "image/jpeg"), Map.entry("gif", "image/gif"),
        Map.entry("webp", "image/webp"), Map.entry("ico", "image/x-icon"), Map.entry("pdf", "application/pdf"),
        Map.entry("xml", "application/xml"), Map.entry("wasm", "application/wasm"), Map.entry("mp4", "video/mp4"),
        Map.entry("gz", "application/gzip"));
    private static final String WELCOME = """
        <!doctype html><title>iip</title><h1>It works</h1>
        <p>This page was sent by a TCP/IP stack in user space.
        <p><a href="/bytes/1000">/bytes/1000</a> is 1000 bytes that can be verified;
        a PUT to /sink is answered with its SHA-256.
        """;

    private final Path root;
    long bodyMax = 1L << 40;
    double headS = 10;
    double bodyS = 20;
    double idleS = 60;

    /** Of a directory's real path, or null: only what is built in. */
    HttpSite(Path root) {
        this.root = root;
    }

    /** `path` is decoded, without steps upwards. */
    Found find(String path) {
        if (path.startsWith("/bytes/")) {
            return bytes(path.substring(7));
        }
        if (root == null) {
            return path.equals("/") ? new Found(200, HttpBody.text(HTML, WELCOME)) : NOTHING;
        }
        try {
            return file(path);
        } catch (IOException | InvalidPathException e) {
            return NOTHING;
        }
    }

    private static Found bytes(String number) {
        boolean right = number.matches("[0-9]{1,18}") && Long.parseLong(number) >> 50 == 0;
        return right ? new Found(200, HttpBody.pattern(Long.parseLong(number))) : NOTHING;
    }

    /** Neither the path nor a symbolic link leaves the root. */
    private Path below(String path) throws IOException {
        Path real = root.resolve(path.replaceFirst("^/+", "")).toRealPath();
        if (!real.startsWith(root)) {
            throw new IOException("outside");
        }
        return real;
    }

    private Found file(String path) throws IOException {
        Path real = below(path);
        if (Files.isDirectory(real)) {
            return path.endsWith("/") ? directory(real, path) : new Found(301, null);
        }
        boolean right = Files.isRegularFile(real) && !path.endsWith("/"); // opening a FIFO would stop the loop
        return right ? open(real) : NOTHING;
    }

    private static Found open(Path real) throws IOException {
        String name = real.getFileName().toString();
        String end = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
        return new Found(200, HttpBody.file(TYPES.getOrDefault(end, "application/octet-stream"), real));
    }

    private Found directory(Path real, String path) throws IOException {
        try {
            Path index = below(path + "index.html");
            if (Files.isRegularFile(index)) {
                return open(index);
            }
        } catch (IOException e) {
            // There is none.
        }
        return new Found(200, HttpBody.text(HTML, list(real, path)));
    }

    // ---- lists ----

    private static String html(String text) {
        StringBuilder out = new StringBuilder();
        for (char c : text.toCharArray()) {
            out.append("<>&\"".indexOf(c) >= 0 ? "&#" + (int) c + ";" : c < ' ' ? "?" : String.valueOf(c));
        }
        return out.toString();
    }

    private static String url(String text) {
        StringBuilder out = new StringBuilder("./"); // "a:b" is a name, not a scheme
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 255);
            boolean plain = c < 128 && (Character.isLetterOrDigit(c) || "-._~".indexOf(c) >= 0);
            out.append(plain ? String.valueOf(c) : String.format("%%%02X", (int) c));
        }
        return out.toString();
    }

    private static String row(Path file) {
        String name = file.getFileName().toString();
        try {
            BasicFileAttributes is = Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            return is.isDirectory()
                ? String.format("<tr><td><a href=\"%s/\">%s/</a></td></tr>\n", url(name), html(name))
                : String.format("<tr><td><a href=\"%s\">%s</a></td><td>%d</td></tr>\n", url(name), html(name),
                    is.size());
        } catch (IOException e) {
            return "";
        }
    }

    private static String list(Path dir, String path) throws IOException {
        StringBuilder out = new StringBuilder("<!doctype html><title>" + html(path) + "</title><table>\n");
        try (Stream<Path> files = Files.list(dir)) {
            List<Path> sorted = files.filter(f -> !f.getFileName().toString().startsWith(".")).sorted().toList();
            for (int i = 0; i < sorted.size() && out.length() < LIST_MAX; i++) {
                out.append(row(sorted.get(i)));
            }
        }
        return out.append("</table>\n").toString();
    }
}
