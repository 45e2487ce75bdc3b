"""Kotlin on Android, by LiteRT."""

from cvtasks.export.samples import Told

_RUN = """
import android.graphics.*
import java.nio.*
import kotlin.math.*
import org.tensorflow.lite.Interpreter  // of com.google.ai.edge.litert:litert

val classes = listOf(@LIST@)

// file: @FILE@ as a direct ByteBuffer; gives each output's numbers by its name
fun predict(file: ByteBuffer, image: Bitmap): Map<String, FloatArray> {
  val scale = min(@HEIGHT@f / image.height, @WIDTH@f / image.width)
  val height = max(1, (image.height * scale).roundToInt())
  val width = max(1, (image.width * scale).roundToInt())
  val top = @TOP@
  val left = @LEFT@
  val placed = Bitmap.createBitmap(@WIDTH@, @HEIGHT@, Bitmap.Config.ARGB_8888)
  Canvas(placed).apply {
    drawColor(Color.rgb(@GREY@, @GREY@, @GREY@))
    val place = Rect(left, top, left + width, top + height)
    drawBitmap(image, null, place, Paint(Paint.FILTER_BITMAP_FLAG))
  }
  val pixels = IntArray(@WIDTH@ * @HEIGHT@)
  placed.getPixels(pixels, 0, @WIDTH@, 0, 0, @WIDTH@, @HEIGHT@)
  val input = ByteBuffer.allocateDirect(pixels.size * 12).order(ByteOrder.nativeOrder())
  for (pixel in pixels)
    for (shift in listOf(16, 8, 0)) input.putFloat((pixel shr shift and 255).toFloat())
  input.rewind()
  Interpreter(file).use { network ->
    val key = network.signatureKeys[0]
    val found = network.getSignatureOutputs(key).associateWith {
      val bytes = network.getOutputTensorFromSignature(it, key).numBytes()
      ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
    }
    network.runSignature(mapOf("@INPUT@" to input), found, key)
    return found.mapValues { (_, bytes) ->
      bytes.rewind()
      FloatArray(bytes.remaining() / 4).also { bytes.asFloatBuffer().get(it) }
    }
  }
}
"""


def code(told: Told) -> str:
    """A function that gives the outputs as they are: to decode them is the caller's."""
    listed = ", ".join(told.quoted(one).replace("$", "\\$") for one in told.recipe.classes)
    return told.fill(_RUN).replace("@LIST@", listed)
