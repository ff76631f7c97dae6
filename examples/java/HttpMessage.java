import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A head of HTTP/1.x, read strictly: leniency is how requests are smuggled past others. [RFC 9112 11.2] */
final class HttpMessage {
    /** Why a request is refused: the status of the answer. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;
        final int status;

        Refused(int status) {
            super("refused: " + status, null, false, false);
            this.status = status;
        }
    }

    String method;
    String target;
    int status; // of an answer
    int minor;
    boolean keep;
    long length = -1; // -1: no Content-Length
    boolean chunked;
    boolean expects; // the client waits for a 100 before it sends the body
    private int hosts;

    private HttpMessage() {}

    /** Where a head ends, its empty line included; -1: it is not whole yet. */
    static int headEnd(byte[] bytes, int n) {
        for (int i = 0; i < n; i++) {
            if (bytes[i] != '\n') {
                continue;
            }
            int next = i + 1 < n && bytes[i + 1] == '\r' ? i + 2 : i + 1;
            if (next < n && bytes[next] == '\n') {
                return next + 1;
            }
        }
        return -1;
    }

    private static List<String> lines(byte[] head, int n) {
        List<String> all = new ArrayList<>();
        for (String line : new String(head, 0, n, StandardCharsets.ISO_8859_1).split("\n", -1)) {
            String bare = line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
            if (bare.isEmpty()) {
                break;
            }
            all.add(bare);
        }
        return all;
    }

    // ---- what lines are made of ----

    static boolean isToken(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
            || "!#$%&'*+-.^_`|~".indexOf(c) >= 0;
    }

    private static boolean isToken(String text) {
        return !text.isEmpty() && text.chars().allMatch(c -> isToken((char) c));
    }

    /** No control characters: a bare CR or a zero byte means different things to different readers. */
    private static boolean isPlain(String line) {
        return line.chars().allMatch(c -> c >= ' ' && c != 127 || c == '\t');
    }

    private static String trim(String text) {
        return text.replaceAll("^[ \t]+|[ \t]+$", "");
    }

    private static boolean hasWord(String list, String word) {
        for (String item : list.split(",", -1)) {
            if (trim(item).equalsIgnoreCase(word)) {
                return true;
            }
        }
        return false;
    }

    private static int version(String text) throws Refused {
        if (!text.matches("HTTP/[0-9][.][0-9]")) {
            throw new Refused(400);
        }
        if (text.charAt(5) != '1') {
            throw new Refused(505);
        }
        return text.charAt(7) - '0';
    }

    // ---- fields ----

    /** Of one length and the same again nothing is unclear; of two different ones everything is. [RFC 9112 6.3] */
    private void lengthField(String value) throws Refused {
        if (!value.matches("[0-9]{1,18}") || length >= 0 && length != Long.parseLong(value)) {
            throw new Refused(400);
        }
        length = Long.parseLong(value);
    }

    private void encodingField(String value) throws Refused {
        if (status == 0 && (chunked || minor == 0)) {
            throw new Refused(400);
        }
        chunked = true;
        if (status == 0 && !value.equalsIgnoreCase("chunked")) {
            throw new Refused(501);
        }
    }

    private void connectionField(String value) {
        if (hasWord(value, "close")) {
            keep = false;
        } else if (minor == 0 && hasWord(value, "keep-alive")) {
            keep = true;
        }
    }

    private void hostField(String value) throws Refused {
        hosts++;
        if (!value.matches("[-A-Za-z0-9._~!$&'()*+,;=%:\\[\\]]*")) {
            throw new Refused(400);
        }
    }

    private void expectField(String value) throws Refused {
        if (!value.equalsIgnoreCase("100-continue")) {
            throw new Refused(417);
        }
        expects = minor > 0;
    }

    private void field(String line) throws Refused {
        int colon = line.indexOf(':');
        if (colon < 0 || !isToken(line.substring(0, colon)) || !isPlain(line)) {
            throw new Refused(400);
        }
        String value = trim(line.substring(colon + 1));
        switch (line.substring(0, colon).toLowerCase(Locale.ROOT)) {
            case "content-length" -> lengthField(value);
            case "transfer-encoding" -> encodingField(value);
            case "connection" -> connectionField(value);
            case "host" -> hostField(value);
            case "expect" -> expectField(value);
            default -> { }
        }
    }

    // ---- heads ----

    private void requestLine(String line) throws Refused {
        String[] words = line.split(" ", 3);
        if (words.length < 3 || !isPlain(line) || !isToken(words[0]) || words[1].isEmpty()) {
            throw new Refused(400);
        }
        method = words[0];
        target = words[1];
        minor = version(words[2]);
        keep = minor > 0;
    }

    /** The head of a request. */
    static HttpMessage request(byte[] head, int n) throws Refused {
        HttpMessage made = new HttpMessage();
        List<String> all = lines(head, n);
        made.requestLine(all.isEmpty() ? "" : all.get(0));
        for (String line : all.subList(1, all.size())) {
            made.field(line);
        }
        if (made.chunked && made.length >= 0) { // which of them the next reader believes is not ours to guess
            throw new Refused(400);
        }
        if (made.hosts > 1 || made.minor > 0 && made.hosts == 0) { // [RFC 9112 3.2]
            throw new Refused(400);
        }
        return made;
    }

    /** The head of an answer; null: it is none. */
    static HttpMessage answer(byte[] head, int n) {
        HttpMessage made = new HttpMessage();
        List<String> all = lines(head, n);
        String[] words = (all.isEmpty() ? "" : all.get(0)).split(" ", 3);
        try {
            made.minor = version(words[0]);
            if (words.length < 2 || !words[1].matches("[1-9][0-9]{2}")) {
                return null;
            }
            made.status = Integer.parseInt(words[1]);
            made.keep = made.minor > 0;
            for (String line : all.subList(1, all.size())) {
                made.field(line);
            }
            return made;
        } catch (Refused e) {
            return null;
        }
    }
}
