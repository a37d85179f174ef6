internal import DubCore
internal import DubGraph
internal import DubMedia
internal import DubRunner
internal import Foundation

/// Writes the dub's two halves apart, as they were before the limiter: what is spoken, and all else.
///
/// Sample by sample they add up to the dub. They are floats, in which nothing clips: WAV, or CAF where a WAV would pass
/// 4 GB.
struct StemsStage: Stage {
    let signature = StageSignature(
        name: "stems", version: 1,
        inputs: [
            .one("media"), .one("info"), .one("placement"), .list("takes"), .one("mixed"), .optional("bed"),
            .optional("record"),
        ],
        outputs: [.one("dialogue"), .one("background")], parameters: ["bed": "replace", "duck": 15])

    /// The most bytes of samples that a WAV file takes.
    private static let mostBytes = 4.0e9

    func run(_ inputs: StageInputs, in context: StageContext) async throws -> [String: StageValue] {
        let mixed = try context.read(MixReport.self, "mixed", of: inputs)
        let layer = try await MixStage.layer(inputs, in: context)
        let folder = try context.scratch
        let bytes = layer.placement.duration * Double(layer.format.sampleRate * layer.format.channels * 4)
        let type = bytes < Self.mostBytes ? "wav" : "caf"
        let level = Float(pow(10, mixed.level / 20))
        let names = ["dialogue", "background"]
        try await MediaThread.run { cancellation in
            for (place, part) in [MixLayer.Part.dialogue, .background].enumerated() {
                var encoder = try AudioEncoder.create(
                    "\(folder)/\(names[place]).\(type)", codec: .pcmFloat, format: layer.format)
                _ = try layer.lay(gain: mixed.gain, part, cancellation) {
                    context.progress((Double(place) + $0) / 2)
                } write: {
                    try encoder.write(level == 1 ? $0 : $0.map { $0 * level })
                }
                try encoder.finish()
            }
        }
        return Dictionary(
            uniqueKeysWithValues: try names.map {
                ($0, .one(try context.store.adopt(fileAt: "\(folder)/\($0).\(type)", type: type)))
            })
    }
}
