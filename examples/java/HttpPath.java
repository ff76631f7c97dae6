import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** What the target of a request says. */
final class HttpPath {
    private HttpPath() {}

    /** Without scheme and authority: "http://host/path" is as good as "/path". [RFC 9112 3.2.2] Empty: no host. */
    static String origin(String target) {
        if (!target.regionMatches(true, 0, "http://", 0, 7)) {
            return target;
        }
        int at = 7;
        while (at < target.length() && "/?#".indexOf(target.charAt(at)) < 0) {
            at++;
        }
        if (at == 7) {
            return ""; // without a host it names nothing [RFC 9110 4.2.1]
        }
        return at < target.length() && target.charAt(at) == '/' ? target.substring(at) : "/";
    }

    /** The decoded path; null: no path, a bad escape, a zero byte, or a step upwards, however it is written. */
    static String decode(String target) {
        String path = origin(target).replaceFirst("[?#].*", "");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (!path.startsWith("/") || path.replaceAll("%[0-9A-Fa-f]{2}", "").contains("%")) {
            return null;
        }
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (c == '%') {
                c = (char) Integer.parseInt(path.substring(i + 1, i + 3), 16);
                i += 2;
            }
            out.write(c);
        }
        String decoded = out.toString(StandardCharsets.UTF_8);
        return decoded.indexOf('\0') >= 0 || (decoded + "/").contains("/../") ? null : decoded;
    }
}
