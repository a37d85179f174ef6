internal import DubMedia

/// By how much a faint sound, source or dub, is turned up before a model listens to it, as a person would.
///
/// At −60 dBFS detectors and recognisers hear little, and 16 bits leave little to be heard. Steps of 12 dB, and none for
/// what peaks above −20 dBFS: a line that is voiced anew seldom changes the samples of all the others.
enum ListeningGain {
    /// What peaks above this is loud enough.
    private static let enough: Float = 0.1
    /// What is fainter is silence, and stays so.
    private static let silence: Float = 1e-4

    /// The factor for a sound file, a power of 4; at least 1.
    static func of(_ path: String, cancellation: Cancellation) throws -> Float {
        var decoder = try AudioDecoder.open(path, as: ExtractStage.format, cancellation: cancellation)
        var peak: Float = 0
        while let block = try decoder.next() {
            for sample in block.samples { peak = max(peak, abs(sample)) }
        }
        return factor(peak: peak)
    }

    /// The factor for what peaks so high, 0…1.
    static func factor(peak: Float) -> Float {
        guard peak > silence else { return 1 }
        var factor: Float = 1
        while peak * factor < enough { factor *= 4 }
        return factor
    }
}
