import DubMedia
import Testing

@Test("names FFmpeg's version")
func namesVersion() {
    #expect(MediaLibrary.version.first?.isNumber == true)
}
