package org.iip;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Finds the native libraries. They lie in the jar, below native/; they are copied to a directory of this process, all of
 * them, because libiip looks for its plug-ins beside itself. The system property {@code iip.library.path} names a
 * directory that has them already.
 */
final class Native {
    static final Cleaner CLEANER = Cleaner.create();
    private static final String[] NEEDED = {"libiip.so.0", "libiipjni.so"};
    private static final String[] OPTIONAL = {"libiip_dpdk.so"};

    private Native() {}

    static void load() {
        String given = System.getProperty("iip.library.path");
        try {
            Path dir = given != null ? Path.of(given).toAbsolutePath() : unpack();
            for (String library : NEEDED) {
                System.load(dir.resolve(library).toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the native libraries of iip could not be unpacked", e);
        }
    }

    private static Path unpack() throws IOException {
        Path dir = Files.createTempDirectory("iip-");
        for (String library : NEEDED) {
            if (!copy(library, dir)) {
                throw new UnsatisfiedLinkError("native/" + library + " is not in the jar of iip");
            }
        }
        for (String library : OPTIONAL) {
            copy(library, dir);
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> remove(dir)));
        return dir;
    }

    private static boolean copy(String library, Path dir) throws IOException {
        try (InputStream in = Native.class.getResourceAsStream("/native/" + library)) {
            if (in != null) {
                Files.copy(in, dir.resolve(library), StandardCopyOption.REPLACE_EXISTING);
            }
            return in != null;
        }
    }

    private static void remove(Path dir) {
        try (var files = Files.list(dir)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(dir);
        } catch (IOException e) {
            // It is a temporary directory: the system removes it.
        }
    }
}
