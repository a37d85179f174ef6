import DubCore
import Testing

@Suite struct MediaTimeTests {
    @Test("is ordered by instant across timebases")
    func order() {
        let third = MediaTime(ticks: 1, timebase: Rational(1, 3))
        let more = MediaTime(ticks: 16_001, timebase: Rational(1, 48_000))
        #expect(third < more)
        #expect(!(more < third))
    }

    @Test("counts samples exactly after a hundred hours")
    func samples() {
        let time = MediaTime(ticks: 90_000 * 360_000 + 45_000, timebase: Rational(1, 90_000))
        #expect(time.samples(at: 48_000) == 48_000 * 360_000 + 24_000)
    }
}
