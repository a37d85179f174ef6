internal import DubMedia
internal import DubTiming

/// How the source's sound is treated under the dub.
enum BedMethod: String, Codable, Sendable {
    /// The source without its speech, by a model.
    case separated
    /// Music and effects by those who made the film.
    case supplied
    /// The centre channel carries the dialogue: it alone is muted under lines.
    case centre
    /// The voice stands in the middle of a stereo picture: the sides are kept under lines.
    case sides
    /// The voice is everywhere: under lines, room tone from the source's own pauses.
    case roomTone = "room-tone"
    /// The voice stays, and is turned down with all else under lines.
    case duck
}

/// What the first pass over the source finds out.
struct SourceMeasure: Codable, Sendable {
    /// Loudness of the source while it speaks, LUFS; `nil` where too little is there.
    var dialogue: Double?
    /// Loudness of the whole source, LUFS.
    var integrated: Double?
    /// How the bed is kept.
    var bed: BedMethod
}

/// What the mix did; the verdict repeats it.
struct MixReport: Codable, Sendable {
    /// What was measured in the source.
    var source: SourceMeasure
    /// Loudness of the takes as they came, LUFS.
    var takes: Double?
    /// What was added to the takes, dB.
    var gain: Double
    /// What was added to the whole for a loudness profile, dB; 0 where the dub is as loud as the source.
    var level: Double
    /// The loudness profile's name; `nil` where the dub is as loud as the source.
    var profile: String?
    /// Loudness of the mix over the dub's speech, LUFS.
    var dialogue: Double?
    /// Loudness of the whole mix, LUFS.
    var integrated: Double?
    /// The mix's true peak, dBTP.
    var truePeak: Double?
}

/// Where the speech channels lie in an interleaved layout.
struct SpeakerLayout: Sendable {
    let channels: Int
    /// The channels a mono voice goes to.
    let voice: [Int]
    /// The index of the centre, of layouts that have one beside left and right.
    let centre: Int?

    init(_ layout: String, channels: Int) {
        self.channels = channels
        // FFmpeg orders FL FR FC …: every layout with a centre and a left channel has it third.
        let hasCentre = channels >= 3 && !["2.1", "quad", "quad(side)", "downmix"].contains(layout)
        centre = hasCentre ? 2 : nil
        voice = hasCentre ? [2] : Array(0..<min(2, max(1, channels)))
    }
}
